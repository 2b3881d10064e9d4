"""Lays a padded batch of episodes out without its padding.

Rows are time-major, episodes in order of falling length, as ``PackedSequence`` has it. An episode of L
steps has L + 1 points in time, so the points of time 0 come first, one for each episode, and the points
from time 1 on are the o', s' of the steps, in the steps' own order. Padding is never read: whatever it
holds, it contributes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from pyqmix.ops.backend import wants_reference
from pyqmix.ops.packing import pack_episodes
from pyqmix.replay.batch import EpisodeBatch


@dataclass(frozen=True)
class PackedEpisodes:
    """B episodes with N steps and P = N + B points in time.

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
        real: (N,) bool, which rows are steps, where some are padding; None: all of them.
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
    real: Tensor | None = None

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
    def follows(self) -> Tensor | None:
        """(N - B,) bool, which of the rows of :attr:`goes_on` another step does follow; None: all of them."""
        return None if self.real is None else self.real[self.n_episodes :]

    def at_steps(self, points: Tensor) -> Tensor:
        """Take of points (P, ...) those of the steps' o, s (N, ...)."""
        if self.real is not None:  # every time has a row of each episode
            return points[: len(self.now)]
        return points.index_select(0, self.now)

    def chosen(self, qs: Tensor) -> Tensor:
        """Take of the values (P, n, A) of the points those (N, n) of the actions that were taken."""
        return self.at_steps(qs).gather(-1, self.actions.unsqueeze(-1)).squeeze(-1)

    def of_episodes(self, values: Tensor) -> Tensor:
        """Give every step (N,) its episode's value of (B,); zero what is padding."""
        if self.real is None:
            return values[self.episodes]
        return (self.real.view(-1, len(values)) * values).flatten()

    @cached_property
    def share(self) -> Tensor:
        """(N,) of the rewards' dtype, each real step's part of all of them: what means are weighted by."""
        if self.real is None:
            return torch.full_like(self.rewards, 1.0 / len(self.rewards))
        real = self.real.to(self.rewards.dtype)
        return real / real.sum()

    def mean(self, values: Tensor) -> Tensor:
        """Average values (N, *M) of the steps."""
        if self.real is None:
            return values.mean()
        return torch.dot(values.flatten(1).mean(1) if values.dim() > 1 else values, self.share.to(values.dtype))


def beside(rows: Tensor, values: Tensor) -> Tensor:
    """View rows (K,) so that they broadcast with values (N, *M)."""
    return rows.view(-1, *[1] * (values.dim() - 1))


def pack(batch: EpisodeBatch) -> PackedEpisodes:
    """Lay a batch out without its padding."""
    if batch.obs.is_cpu and not wants_reference():
        return _pack_on_cpu(batch)
    return _pack_anywhere(batch)


def _pack_on_cpu(batch: EpisodeBatch) -> PackedEpisodes:
    concat_state = batch.states.is_set_to(batch.obs.flatten(2))  # a view of the observations
    points = [batch.obs] if concat_state else [batch.obs, batch.states]
    steps = [batch.actions, batch.rewards, batch.terminated]
    packed = pack_episodes(batch.lengths, points, [batch.avail], steps)
    obs = packed.points[0]
    actions, rewards, terminated = packed.steps
    return PackedEpisodes(
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
    )


def _pack_anywhere(batch: EpisodeBatch) -> PackedEpisodes:
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
    return PackedEpisodes(
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
    )


def pack_transitions(batch: EpisodeBatch, draws: Tensor) -> PackedEpisodes:
    """Lay out single transitions of a batch, each as an episode of one step.

    Args:
        batch: the episodes.
        draws: (N,) float64, uniform in [0, 1); each chooses one of all the batch's real steps, one may come twice.

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
    return PackedEpisodes(
        obs=batch.obs.flatten(0, 1)[at_points],
        states=batch.states.flatten(0, 1)[at_points],
        point_counts=torch.tensor([count, count]),
        now=torch.arange(count, device=device),
        next_avail=batch.avail.flatten(0, 1)[now + 1],
        actions=batch.actions.flatten(0, 1)[steps],
        rewards=batch.rewards.flatten()[steps],
        terminated=batch.terminated.flatten()[steps],
        episodes=episodes,
        times=times,
    )


@torch.no_grad()
def episode_errors(packed: PackedEpisodes, values: Tensor, targets: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Compute the mean absolute error (B,) of each episode's steps; NaN for an episode of which none is there.

    Args:
        packed: N steps, and where in the batch each comes from; one may be there twice.
        values: (N, *M), the mean of whose M errors is a step's.
        targets: (N, *M).
        shape: (B, T), the batch's.
    """
    errors = (targets - values).abs().reshape(len(values), -1).mean(1)
    padded = errors.new_zeros(2, *shape)
    real = torch.ones_like(errors) if packed.real is None else packed.real.to(errors)
    padded[0, packed.episodes, packed.times] = errors * real
    padded[1, packed.episodes, packed.times] = real
    sums, lengths = padded.sum(-1).unbind()
    return sums / lengths
