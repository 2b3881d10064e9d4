"""Targets of a batch's values: one-step, n-step and TD(λ).

The longer targets are made of the one-step ones, which already end where an episode does: no step follows the last
real one, so a return stops there with ``r`` (terminated) or with ``r`` and the value of the last o', s'
(truncated), and never reaches padding. All hold for a team value and for one value an agent alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from pyqmix.config import Config
from pyqmix.learn.joint import JointMixer, joint_targets
from pyqmix.learn.rows import StepRows, as_column
from pyqmix.nn import Agent
from pyqmix.nn.mixers import Mixer
from pyqmix.ops import NoAvailableActionError


@torch.no_grad()
def make_targets(
    rows: StepRows, rewards: Tensor, online_qs: Tensor | None, agent: Agent, mixer: Mixer, config: Config
) -> Tensor:
    """Compute the targets of a batch's N steps.

    Args:
        rows: the batch.
        rewards: (N,), those that are learned from.
        online_qs: (P, n, A), the online network's values, which choose the actions (double-Q); or None.
        agent: the target agent network.
        mixer: the target mixer.
        config: which target, and the discount.

    Returns:
        (N, *M) as :class:`pyqmix.nn.Mixer` has it. No gradient flows through it.

    Raises:
        NoAvailableActionError: names episode (its place in the batch), step and agent.
    """
    one_step = one_step_targets(rows, rewards, online_qs, agent, mixer, config)
    if config.n_step > 1:
        return n_step_targets(rows, rewards, one_step, config.gamma, config.n_step)
    if config.td_lambda > 0:
        return lambda_targets(rows, rewards, one_step, config.gamma, config.td_lambda)
    return one_step


@torch.no_grad()
def one_step_targets(
    rows: StepRows, rewards: Tensor, online_qs: Tensor | None, agent: Agent, mixer: Mixer, config: Config
) -> Tensor:
    """Compute ``r + γ (1 − terminated) max q(s', ·)``; see :func:`make_targets`."""
    first = rows.n_episodes  # rows of o', s' start behind those of time 0
    next_qs = agent.unroll(rows.obs, rows.point_counts)[first:]
    online_next_qs = None if online_qs is None else online_qs[first:]
    with naming_episodes(rows):
        if isinstance(mixer, JointMixer):
            return joint_targets(mixer, rows, rewards, next_qs, online_next_qs, config.gamma)
        return mixer.td_target(
            next_qs,
            rows.next_avail,
            rewards,
            rows.terminated,
            config.gamma,
            rows.states[first:],
            online_next_qs,
        )


@contextmanager
def naming_episodes(rows: StepRows) -> Iterator[None]:
    """Let a :class:`NoAvailableActionError` name episode (its place in the batch) and step, not the row."""
    try:
        yield
    except NoAvailableActionError as error:
        if error.late:  # of an earlier batch
            raise
        (row,) = error.index
        where = (int(rows.episodes[row]), int(rows.times[row]))
        raise NoAvailableActionError(where, error.agent) from None


def n_step_targets(rows: StepRows, rewards: Tensor, one_step: Tensor, gamma: float, n: int) -> Tensor:
    """Sum up to n rewards before the bootstrap: ``y_n[t] = r[t] + γ y_(n−1)[t+1]``, where there is a step t+1.

    A step with fewer than n steps to its episode's end sums those that there are.

    Args:
        rows: the batch.
        rewards: (N,), those that are learned from.
        one_step: (N, *M), the one-step targets ``y_1``.
        gamma: the discount.
        n: steps, at least 1.

    Returns:
        (N, *M).

    Source: Sutton and Barto, Reinforcement Learning, 2nd edition, equation 7.4 with the maximum for the value.
    """
    goes_on, later = rows.goes_on, rows.n_episodes
    now, first = as_column(rewards[goes_on], one_step), one_step[goes_on]
    targets = one_step
    follows = as_column(rows.follows, one_step)
    for _ in range(min(n, len(rows.point_counts) - 1) - 1):  # no episode is longer
        longer = now + gamma * targets[later:]
        targets = one_step.index_copy(0, goes_on, torch.where(follows, longer, first))
    return targets


def lambda_targets(rows: StepRows, rewards: Tensor, one_step: Tensor, gamma: float, td_lambda: float) -> Tensor:
    """Average the n-step targets by λ: ``y[t] = (1 − λ) y_1[t] + λ (r[t] + γ y[t+1])``, where there is a step t+1.

    Actions off the greedy policy cut nothing: Peng's Q(λ).

    Args:
        rows: the batch.
        rewards: (N,), those that are learned from.
        one_step: (N, *M), the one-step targets ``y_1``.
        gamma: the discount.
        td_lambda: λ; at 1 the target is the discounted return, with the bootstrap of a truncated end.

    Returns:
        (N, *M).

    Source: Sutton and Barto, Reinforcement Learning, 2nd edition, section 12.1; Peng and Williams, 1994.
    """
    goes_on = rows.goes_on
    now = as_column(rewards[goes_on], one_step).expand_as(one_step[rows.n_episodes :])
    share = as_column(td_lambda * rows.follows.to(rewards), one_step)  # of the return after the first reward
    targets = one_step.index_copy(0, goes_on, torch.lerp(one_step[goes_on], now, share))
    counts = rows.point_counts[1:].tolist()
    at_times, shares = targets.split(counts), share.split(counts[1:])
    for t in range(len(at_times) - 2, -1, -1):  # the episodes that go on stand first
        following = at_times[t + 1]
        at_times[t][: len(following)].addcmul_(following, shares[t], value=gamma)
    return targets
