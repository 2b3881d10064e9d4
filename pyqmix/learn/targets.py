"""What the values of a batch are compared with: one-step, n-step and TD(λ) targets.

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
from pyqmix.learn.rows import PackedEpisodes, beside
from pyqmix.nn.agents import Agent
from pyqmix.nn.mixers import Mixer
from pyqmix.ops import NoAvailableActionError


@torch.no_grad()
def make_targets(
    packed: PackedEpisodes, rewards: Tensor, online_qs: Tensor | None, agent: Agent, mixer: Mixer, config: Config
) -> Tensor:
    """Compute the targets of a batch's N steps.

    Args:
        packed: the batch.
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
    one_step = one_step_targets(packed, rewards, online_qs, agent, mixer, config)
    if config.n_step > 1:
        return n_step_targets(packed, rewards, one_step, config.gamma, config.n_step)
    if config.td_lambda > 0:
        return lambda_targets(packed, rewards, one_step, config.gamma, config.td_lambda)
    return one_step


@torch.no_grad()
def one_step_targets(
    packed: PackedEpisodes, rewards: Tensor, online_qs: Tensor | None, agent: Agent, mixer: Mixer, config: Config
) -> Tensor:
    """Compute ``r + γ (1 − terminated) max q(s', ·)``; see :func:`make_targets`."""
    first = packed.n_episodes  # rows of o', s' start behind those of time 0
    next_qs = agent.unroll(packed.obs, packed.point_counts)[first:]
    with naming_episodes(packed):
        return mixer.td_target(
            next_qs,
            packed.next_avail,
            rewards,
            packed.terminated,
            config.gamma,
            packed.states[first:],
            None if online_qs is None else online_qs[first:],
        )


@contextmanager
def naming_episodes(packed: PackedEpisodes) -> Iterator[None]:
    """Let a :class:`NoAvailableActionError` name episode (its place in the batch) and step, not the row."""
    try:
        yield
    except NoAvailableActionError as error:
        if error.late:  # of an earlier batch
            raise
        (row,) = error.index
        where = (int(packed.episodes[row]), int(packed.times[row]))
        raise NoAvailableActionError(where, error.agent) from None


def n_step_targets(packed: PackedEpisodes, rewards: Tensor, one_step: Tensor, gamma: float, n: int) -> Tensor:
    """Sum up to n rewards before the bootstrap: ``y_n[t] = r[t] + γ y_(n−1)[t+1]``, where there is a step t+1.

    A step with fewer than n steps to its episode's end sums those that there are.

    Args:
        packed: the batch.
        rewards: (N,), those that are learned from.
        one_step: (N, *M), the one-step targets ``y_1``.
        gamma: the discount.
        n: steps, at least 1.

    Returns:
        (N, *M).

    Source: Sutton and Barto, Reinforcement Learning, 2nd edition, equation 7.4 with the maximum for the value.
    """
    goes_on, later = packed.goes_on, packed.n_episodes
    now, first = beside(rewards[goes_on], one_step), one_step[goes_on]
    targets = one_step
    for _ in range(min(n, len(packed.point_counts) - 1) - 1):  # no episode is longer
        longer = now + gamma * targets[later:]
        if packed.follows is not None:
            longer = torch.where(beside(packed.follows, one_step), longer, first)
        targets = one_step.index_copy(0, goes_on, longer)
    return targets


def lambda_targets(
    packed: PackedEpisodes, rewards: Tensor, one_step: Tensor, gamma: float, td_lambda: float
) -> Tensor:
    """Average the n-step targets by λ: ``y[t] = (1 − λ) y_1[t] + λ (r[t] + γ y[t+1])``, where there is a step t+1.

    Actions off the greedy policy cut nothing: Peng's Q(λ).

    Args:
        packed: the batch.
        rewards: (N,), those that are learned from.
        one_step: (N, *M), the one-step targets ``y_1``.
        gamma: the discount.
        td_lambda: λ; at 1 the target is the discounted return, with the bootstrap of a truncated end.

    Returns:
        (N, *M).

    Source: Sutton and Barto, Reinforcement Learning, 2nd edition, section 12.1; Peng and Williams, 1994.
    """
    goes_on = packed.goes_on
    now = beside(rewards[goes_on], one_step).expand_as(one_step[packed.n_episodes :])
    share = torch.full_like(rewards[goes_on], td_lambda)  # of what comes after the first reward
    if packed.follows is not None:
        share = share * packed.follows
    share = beside(share, one_step)
    targets = one_step.index_copy(0, goes_on, torch.lerp(one_step[goes_on], now, share))
    counts = packed.point_counts[1:].tolist()
    at_times, shares = targets.split(counts), share.split(counts[1:])
    for t in range(len(at_times) - 2, -1, -1):  # the longest episodes stand first, so a step's follower beside it
        following = at_times[t + 1]
        at_times[t][: len(following)].addcmul_(following, shares[t], value=gamma)
    return targets
