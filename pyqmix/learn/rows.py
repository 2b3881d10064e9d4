"""Steps of a batch of episodes as rows, which the networks map all at once.

Rows are time-major. An episode of L steps has L + 1 points in time, so the points of time 0 come first, one for
each episode, and the points from time 1 on are the o', s' of the steps, in the steps' own order. Padding is never
read: whatever a batch holds there contributes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import torch
from torch import Tensor

from pyqmix import ops
from pyqmix.ops.backend import wants_reference
from pyqmix.replay.batch import EpisodeBatch


@dataclass(frozen=True)
class StepRows:
    """N steps and P = N + B points in time of B episodes.

    :meth:`by_length` lays out the real steps alone, :meth:`of_fixed_shape` the padding too, so that no shape
    depends on an episode's length, and :meth:`from_draws` single transitions.

    Attributes:
        obs: (P, n, O).
        states: (P, S).
        point_counts: (T+1,) int64 on the CPU, the number of episodes that have a point at each time.
        now: (N,) int64, the row of each step's o, s among the points; those of o', s' are P's last N rows.
        next_avail: (N, n, A) bool, the actions available at o'.
        actions: (N, n) int64.
        rewards: (N,) float.
        terminated: (N,) bool.
        episodes: (N,) int64, the place of each step's episode in the batch.
        times: (N,) int64, each step's time in its episode.
        real: (N,) bool, which rows are steps; the others are padding.
        batch_avail: (B, T+1, n, A) bool, the batch's available actions at every point, not copied.
    """

    obs: Tensor
    states: Tensor
    point_counts: Tensor
    now: Tensor
    next_avail: Tensor
    actions: Tensor
    rewards: Tensor
    terminated: Tensor
    episodes: Tensor
    times: Tensor
    real: Tensor
    batch_avail: Tensor

    @classmethod
    def by_length(cls, batch: EpisodeBatch) -> StepRows:
        """Lay a batch out without its padding, in order of falling length as ``PackedSequence`` has it."""
        if batch.obs.is_cpu and not wants_reference():
            return _by_length_on_cpu(batch)
        return _by_length_anywhere(batch)

    @classmethod
    def of_fixed_shape(cls, batch: EpisodeBatch) -> StepRows:
        """Lay a batch of B episodes padded to T steps out as B*T steps; waits for no device.

        Rows of padding read zeros, end by themselves, and are not :attr:`real`.
        """
        episodes, points = batch.obs.shape[:2]
        concat_state, of_points = _point_tensors(batch)
        steps = [batch.actions, batch.rewards, batch.terminated]
        rows = ops.pad_episodes(batch.lengths, of_points, [batch.avail], steps)
        actions, rewards, terminated = rows.steps
        now, places, times = _grid(episodes, points - 1, batch.lengths.device)
        obs = rows.points[0]
        return _PaddedRows(
            obs=obs,
            states=obs.flatten(1) if concat_state else rows.points[1],
            point_counts=torch.full((points,), episodes, device="cpu"),
            now=now,
            next_avail=rows.next_points[0],
            actions=actions,
            rewards=rewards,
            terminated=terminated.ge(rows.real),  # padding ends
            episodes=places,
            times=times,
            real=rows.real,
            batch_avail=batch.avail,
        )

    @classmethod
    def from_draws(cls, batch: EpisodeBatch, draws: Tensor) -> StepRows:
        """Lay out single transitions of a batch, each as an episode of one step.

        Args:
            batch: the episodes.
            draws: (N,) float64, uniform in [0, 1); each chooses one of the batch's real steps, with replacement.

        Returns:
            N steps and 2N points; ``episodes`` and ``times`` say where in the batch each comes from.
        """
        device, points = batch.lengths.device, batch.obs.shape[1]
        ends = batch.lengths.cumsum(0)
        chosen = (draws * ends[-1]).long()
        episodes = torch.searchsorted(ends, chosen, right=True)
        times = chosen - (ends - batch.lengths)[episodes]
        now, count = episodes * points + times, len(draws)
        at_points = torch.cat([now, now + 1])
        steps = episodes * (points - 1) + times
        return StepRows(
            obs=batch.obs.flatten(0, 1)[at_points],
            states=batch.states.flatten(0, 1)[at_points],
            point_counts=torch.tensor([count, count], device="cpu"),
            now=torch.arange(count, device=device),
            next_avail=batch.avail.flatten(0, 1)[now + 1],
            actions=batch.actions.flatten(0, 1)[steps],
            rewards=batch.rewards.flatten()[steps],
            terminated=batch.terminated.flatten()[steps],
            episodes=episodes,
            times=times,
            real=torch.ones(count, dtype=torch.bool, device=device),
            batch_avail=batch.avail,
        )

    @property
    def n_episodes(self) -> int:
        """B."""
        return self.obs.shape[0] - self.now.shape[0]

    @property
    def goes_on(self) -> Tensor:
        """(N - B,) int64, the rows of the steps behind which another follows: those of rows B, B + 1, … in turn.

        The point o, s of such a later step is the o', s' of the step before, B rows behind it among the points.
        """
        return self.now[self.n_episodes :] - self.n_episodes

    @property
    def follows(self) -> Tensor:
        """(N - B,) bool, whether the later step of each of the rows of :attr:`goes_on` is real."""
        return self.real[self.n_episodes :]

    @property
    def now_avail(self) -> Tensor:
        """(N, n, A) bool, the actions available at each step's o; padding may have none."""
        return self.batch_avail[self.episodes, self.times]

    def at_steps(self, points: Tensor) -> Tensor:
        """Take of points (P, ...) those of the steps' o, s (N, ...)."""
        return points.index_select(0, self.now)

    def chosen(self, qs: Tensor) -> Tensor:
        """Take of the values (P, n, A) of the points those (N, n) of the actions that were taken."""
        return self.at_steps(qs).gather(-1, self.actions.unsqueeze(-1)).squeeze(-1)

    def of_episodes(self, values: Tensor) -> Tensor:
        """Give every step (N,) its episode's value of (B,); padding gets zero."""
        return values[self.episodes]

    @cached_property
    def share(self) -> Tensor:
        """(N,) of the rewards' dtype, each real step's weight in a mean over all of them."""
        return torch.full_like(self.rewards, 1.0 / len(self.rewards))

    def mean(self, values: Tensor) -> Tensor:
        """Average values (N, *M) of the real steps."""
        return values.mean()


class _PaddedRows(StepRows):
    """Rows of which some are padding, with a row of every episode at each time.

    The points of the steps' o, s are then the first N, of which a view costs a GPU no launch.
    """

    def at_steps(self, points: Tensor) -> Tensor:
        return points[: len(self.now)]

    def of_episodes(self, values: Tensor) -> Tensor:
        return (self.real.view(-1, len(values)) * values).flatten()

    @cached_property
    def share(self) -> Tensor:
        real = self.real.to(self.rewards.dtype)
        return real / real.sum()

    def mean(self, values: Tensor) -> Tensor:
        return torch.dot(values.flatten(1).mean(1) if values.dim() > 1 else values, self.share.to(values.dtype))


def as_column(rows: Tensor, values: Tensor) -> Tensor:
    """View rows (K,) so that they broadcast with values (N, *M)."""
    return rows.view(-1, *[1] * (values.dim() - 1))


def _point_tensors(batch: EpisodeBatch) -> tuple[bool, list[Tensor]]:
    """Return whether the states are a view of the observations, and the tensors of points to copy."""
    concat_state = batch.states.is_set_to(batch.obs.flatten(2))
    return concat_state, [batch.obs] if concat_state else [batch.obs, batch.states]


@cache  # a captured step reads them as long as the program lives
def _grid(episodes: int, times: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    rows = torch.arange(episodes * times, device=device)
    return rows, rows % episodes, rows // episodes


def _by_length_on_cpu(batch: EpisodeBatch) -> StepRows:
    concat_state, points = _point_tensors(batch)
    steps = [batch.actions, batch.rewards, batch.terminated]
    packed = ops.pack_episodes(batch.lengths, points, [batch.avail], steps)
    obs = packed.points[0]
    actions, rewards, terminated = packed.steps
    return StepRows(
        obs=obs,
        states=obs.flatten(1) if concat_state else packed.points[1],
        point_counts=packed.point_counts,
        now=packed.now,
        next_avail=packed.next_points[0],
        actions=actions,
        rewards=rewards,
        terminated=terminated,
        episodes=packed.episodes,
        times=packed.times,
        real=torch.ones_like(rewards, dtype=torch.bool),
        batch_avail=batch.avail,
    )


def _by_length_anywhere(batch: EpisodeBatch) -> StepRows:
    lengths, order = batch.lengths.sort(descending=True, stable=True)
    points = batch.obs.shape[1]
    time = torch.arange(points, device=lengths.device).unsqueeze(1)
    at_point = (time <= lengths).nonzero()  # (P, 2): time, place in `order`
    at_step = (time[:-1] < lengths).nonzero()  # (N, 2)
    point_counts = (time <= lengths).sum(1)
    first_row = point_counts.cumsum(0) - point_counts
    point_rows = order[at_point[:, 1]] * points + at_point[:, 0]
    times, episodes = at_step[:, 0], order[at_step[:, 1]]
    step_rows = episodes * (points - 1) + times
    return StepRows(
        obs=batch.obs.flatten(0, 1)[point_rows],
        states=batch.states.flatten(0, 1)[point_rows],
        point_counts=point_counts.cpu(),
        now=first_row[times] + at_step[:, 1],
        next_avail=batch.avail.flatten(0, 1)[point_rows[len(lengths) :]],
        actions=batch.actions.flatten(0, 1)[step_rows],
        rewards=batch.rewards.flatten()[step_rows],
        terminated=batch.terminated.flatten()[step_rows],
        episodes=episodes,
        times=times,
        real=torch.ones_like(times, dtype=torch.bool),
        batch_avail=batch.avail,
    )
