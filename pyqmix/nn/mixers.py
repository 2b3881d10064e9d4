"""Mixers: they map the agents' values to the values of which temporal-difference errors are taken."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from pyqmix import ops
from pyqmix.ops.eager import in_float32, is_autocast


class Mixer(Protocol):
    """The learner's side of a mixer. ``M`` is () for a team value, (n,) for one value an agent.

    A mixer is a ``torch.nn.Module``. A user's gives targets in evaluation mode and learns in training mode.

    Where values and targets are computed at the same time, the learner asks for the values alone, and
    :func:`squared_error` is their loss.

    Attributes:
        native_kind: which mixer of the extension has these parameters in this order and computes the same; None:
            none does. A native training step then learns in this mixer's place.
    """

    native_kind: ClassVar[str | None]

    def __call__(self, agent_qs: Tensor, states: Tensor) -> Tensor:
        """Map the values (..., n) of the chosen actions and the states (..., S) to (..., *M)."""

    def loss(self, agent_qs: Tensor, states: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the loss and, detached, the values (..., *M) that it is of.

        The loss is the sum over rows of a row's weight (...) times its squared distance from its target
        (..., *M); where M is (n,), of the mean of the agents' squared distances.
        """

    def td_target(
        self,
        next_qs: Tensor,
        avail: Tensor,
        rewards: Tensor,
        terminated: Tensor,
        gamma: float,
        next_states: Tensor,
        online_next_qs: Tensor | None = None,
    ) -> Tensor:
        """Compute the target (..., *M) of this mixer's value; arguments as :func:`pyqmix.ops.td_target`."""


def squared_error(values: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the loss () of values (..., *M), and them detached; see :meth:`Mixer.loss`."""
    if is_autocast(values):
        return in_float32(squared_error, values, targets, weights)
    errors = targets - values
    if errors.dim() > weights.dim():  # independent learners: each agent has its own error
        weights = (weights / errors.shape[-1]).unsqueeze(-1)
    return torch.dot((errors * weights).flatten(), errors.flatten()), values.detach()


class MonotoneMixer(nn.Module):
    """The base of mixers that define their values alone, by ``forward(agent_qs, states)``.

    The values are monotone in every agent's value, ``dq_tot/dq_i >= 0``. So the maximum over joint actions is the
    value of the agents' own greedy actions, of which the target is taken (IGM; Rashid et al., arXiv:1803.11485,
    equation 5). A subclass that is not monotone defines :meth:`td_target` too.
    """

    native_kind: ClassVar[str | None] = None

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        cls.native_kind = cls.__dict__.get("native_kind")  # a subclass may compute something else

    def loss(self, agent_qs: Tensor, states: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the weighted squared error () of the values, and the values (..., *M); see :class:`Mixer`."""
        return squared_error(self(agent_qs, states), targets, weights)

    @torch.no_grad()
    def td_target(
        self,
        next_qs: Tensor,
        avail: Tensor,
        rewards: Tensor,
        terminated: Tensor,
        gamma: float,
        next_states: Tensor,
        online_next_qs: Tensor | None = None,
    ) -> Tensor:
        """Compute the target (..., *M); see :class:`Mixer`."""
        values = self(ops.greedy_next_qs(next_qs, avail, terminated, online_next_qs), next_states)
        of_agents = values.dim() > rewards.dim()
        team, ended = (x.unsqueeze(-1) if of_agents else x for x in (rewards, terminated))
        return torch.where(ended, team, team + gamma * values)


class VDNMixer(MonotoneMixer):
    """Value decomposition: the team's value is the sum of the agents'. Sunehag et al., arXiv:1706.05296."""

    def forward(self, agent_qs: Tensor, states: Tensor) -> Tensor:
        """Sum agent_qs (..., n) into q_tot (...); the states are not used."""
        return agent_qs.sum(-1)


class IQLMixer(MonotoneMixer):
    """Independent Q-learning: no mixing; each agent has its own error on the team's reward."""

    def forward(self, agent_qs: Tensor, states: Tensor) -> Tensor:
        """Return agent_qs (..., n) as they are; the states are not used."""
        return agent_qs
