"""Greedy actions of the agents, and targets of given values, for mixers that need them by themselves."""

from __future__ import annotations

import torch
from torch import Tensor

from pyqmix import ops
from pyqmix.learn.rows import StepRows


@torch.no_grad()
def greedy_actions(qs: Tensor, avail: Tensor) -> Tensor:
    """Choose each agent's available action of the highest value.

    Args:
        qs: (..., n, A).
        avail: (..., n, A) bool.

    Returns:
        (..., n) int64; 0 for an agent without an available action.
    """
    finite = qs.clamp(min=torch.finfo(qs.dtype).min)  # an available -inf still wins
    return finite.masked_fill(~avail, -torch.inf).argmax(-1)


@torch.no_grad()
def next_greedy_actions(rows: StepRows, choosing: Tensor) -> Tensor:
    """Choose the greedy actions at o' by values (N, n, A).

    Returns:
        (N, n) int64; 0 for the agents of a terminated step.

    Raises:
        NoAvailableActionError: an agent of a step that is not terminated has no available action at o'.
    """
    numbers = torch.arange(choosing.shape[-1], dtype=choosing.dtype, device=choosing.device).expand_as(choosing)
    return ops.greedy_next_qs(numbers, rows.next_avail, rows.terminated, choosing).nan_to_num().long()


def of_actions(qs: Tensor, actions: Tensor) -> Tensor:
    """Take of values (..., n, A) those (..., n) of actions (..., n)."""
    return qs.gather(-1, actions.unsqueeze(-1)).squeeze(-1)


def at_next(rows: StepRows, points: Tensor) -> Tensor:
    """Take of points (P, ...) those of the steps' o', s' (N, ...)."""
    return points[rows.n_episodes :]


def one_hot(actions: Tensor, n_actions: int, like: Tensor) -> Tensor:
    """Write actions (N, n) one-hot as (N, n*A), of the dtype of ``like``."""
    return torch.nn.functional.one_hot(actions, n_actions).flatten(1).to(like.dtype)


def bootstrap(rows: StepRows, rewards: Tensor, values: Tensor, gamma: float) -> Tensor:
    """Compute ``r + γ (1 − terminated) value`` (N,); the value (N,) of a terminated step is not read."""
    return torch.where(rows.terminated, rewards, rewards + gamma * values)
