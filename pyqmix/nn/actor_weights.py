"""The weights that a policy acts by, on their way from the agent that learns to those that act."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyqmix.nn.agent import Agent
from pyqmix.nn.buffers import persistent_buffers
from pyqmix.nn.native import native_kind


@dataclass(frozen=True)
class ActorWeights:
    """An agent's parameters and buffers of one moment.

    Attributes:
        block: (K,) float32, the parameters one after another in the order of ``parameters()``; native policies
            take it as it is, and processes pass it on.
        buffers: those that are in the agent's ``state_dict``, such as the statistics of a batch normalisation.
    """

    block: NDArray[np.float32]
    buffers: tuple[NDArray[Any], ...] = ()

    @classmethod
    @torch.no_grad()
    def of(cls, agent: Agent) -> ActorWeights:
        """Copy an agent's parameters and buffers; waits for a GPU."""
        parameters = torch.cat([p.detach().reshape(-1) for p in agent.parameters()])
        buffers = tuple(buffer.detach().cpu().numpy().copy() for buffer in _buffers(agent))
        return cls(parameters.to("cpu", torch.float32).numpy(), buffers)

    @torch.no_grad()
    def load_into(self, agent: Agent) -> None:
        """Set the parameters and buffers of an agent on the CPU."""
        parameters = list(agent.parameters())
        parts = torch.from_numpy(self.block).split([p.numel() for p in parameters])
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.copy_(part.view_as(parameter))
        for buffer, value in zip(_buffers(agent), self.buffers, strict=True):
            buffer.copy_(torch.from_numpy(value))


def _buffers(agent: Agent) -> list[Tensor]:
    """Return an agent's persistent buffers; those that act natively have none."""
    return [] if native_kind(agent) is not None else persistent_buffers(agent)
