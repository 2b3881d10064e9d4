"""A user's mixer behind the interface of pyqmix's own."""

from __future__ import annotations

from torch import Tensor, nn

from pyqmix.base.errors import ConfigError
from pyqmix.nn.mixers import MonotoneMixer


class UserMixer(MonotoneMixer):
    """A module that is no more than ``forward(agent_qs, states) -> q_tot``, monotone in every agent's value.

    Args:
        name: its name in error messages.
        net: maps agent_qs (..., n) and states (..., S) to q_tot (...).
    """

    def __init__(self, name: str, net: nn.Module) -> None:
        super().__init__()
        self.name, self.net = name, net

    def forward(self, agent_qs: Tensor, states: Tensor) -> Tensor:
        """Mix agent_qs (..., n) under states (..., S) into q_tot (...)."""
        q_tot: Tensor = self.net(agent_qs, states)
        expected = agent_qs.shape[:-1]
        if not isinstance(q_tot, Tensor) or q_tot.shape != expected:
            got = tuple(q_tot.shape) if isinstance(q_tot, Tensor) else repr(q_tot)
            raise ConfigError(
                f"mixer {self.name}: forward: expected q_tot {tuple(expected)} for agent_qs "
                f"{tuple(agent_qs.shape)} and states {tuple(states.shape)}, got {got}"
            )
        return q_tot
