"""The weights that a policy acts by, on their way from the agent that learns to those that act."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


@dataclass(frozen=True)
class ActorWeights:
    """An agent's parameters of one moment, one after another in the order of ``parameters()``.

    Attributes:
        block: (K,) float32; native policies take it as it is, and processes pass it on.
    """

    block: NDArray[np.float32]

    @classmethod
    @torch.no_grad()
    def of(cls, agent: nn.Module) -> ActorWeights:
        """Copy an agent's parameters; waits for a GPU."""
        parameters = torch.cat([p.detach().reshape(-1) for p in agent.parameters()])
        return cls(parameters.to("cpu", torch.float32).numpy())

    @torch.no_grad()
    def load_into(self, agent: nn.Module) -> None:
        """Set the parameters of an agent on the CPU."""
        parameters = list(agent.parameters())
        parts = torch.from_numpy(self.block).split([p.numel() for p in parameters])
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.copy_(part.view_as(parameter))
