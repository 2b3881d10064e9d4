"""A user's mixer behind the interface of pyqmix's own."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from pyqmix.base.calling import shown
from pyqmix.base.errors import ConfigError
from pyqmix.nn.mixers import MonotoneMixer


class UserMixer(MonotoneMixer):
    """A module that has ``forward(agent_qs, states) -> q_tot``, and perhaps ``td_target`` or ``loss``.

    Without a ``td_target`` it must be monotone, ``dq_tot/dq_i >= 0``: its target is the value of each agent's own
    greedy action, which is the maximum over joint actions only then (IGM; Rashid et al., arXiv:1803.11485,
    equation 5). A mixer that is not monotone says by a ``td_target`` of its own, as :class:`Mixer` describes it,
    how its target is maximised. An attribute ``monotone = False`` makes pyqmix insist on that.

    Args:
        name: its name in error messages.
        net: maps agent_qs (..., n) and states (..., S) to q_tot (...).

    Attributes:
        own_target: whether the module has a ``td_target``.
    """

    def __init__(self, name: str, net: nn.Module) -> None:
        super().__init__()
        self.name, self.net = name, net
        self._own_loss = callable(getattr(net, "loss", None))
        self.own_target = callable(getattr(net, "td_target", None))

    def forward(self, agent_qs: Tensor, states: Tensor) -> Tensor:
        """Mix agent_qs (..., n) under states (..., S) into q_tot (...).

        Raises:
            ConfigError: the module returns something else.
        """
        q_tot: Tensor = self.net(agent_qs, states)
        expected = agent_qs.shape[:-1]
        if not isinstance(q_tot, Tensor) or q_tot.shape != expected:
            raise ConfigError(
                f"mixer {self.name}: forward: expected q_tot {tuple(expected)} for agent_qs "
                f"{tuple(agent_qs.shape)} and states {tuple(states.shape)}, got {shown(q_tot)}"
            )
        return q_tot

    def loss(self, agent_qs: Tensor, states: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the loss () and the values (...): the module's own, or the weighted squared error."""
        if self._own_loss:
            return cast(tuple[Tensor, Tensor], cast(Any, self.net).loss(agent_qs, states, targets, weights))
        return super().loss(agent_qs, states, targets, weights)

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
        """Compute the target (...): the module's own, or that of the agents' greedy actions."""
        arguments = (next_qs, avail, rewards, terminated, gamma, next_states, online_next_qs)
        if self.own_target:
            return cast(Tensor, cast(Any, self.net).td_target(*arguments))
        return super().td_target(*arguments)
