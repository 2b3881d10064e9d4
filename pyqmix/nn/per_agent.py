"""Layers of which every agent has its own, computed for all agents at once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


class PerAgent(nn.Module):
    """Parameters of n modules of one kind, stacked: those of agent i are ``parameter[i]``, by the module's names.

    Args:
        n_agents: n.
        make: builds one agent's module, whose initial values are taken over.
    """

    def __init__(self, n_agents: int, make: Callable[[], nn.Module]) -> None:
        super().__init__()
        modules = [make() for _ in range(n_agents)]
        for name, _ in modules[0].named_parameters():
            values = [module.get_parameter(name).detach() for module in modules]
            self.register_parameter(name, nn.Parameter(torch.stack(values)))


class PerAgentLinear(PerAgent):
    """One linear layer for each agent; parameters ``weight`` (n, out, in) and ``bias`` (n, out)."""

    weight: Tensor
    bias: Tensor

    def __init__(self, n_agents: int, in_features: int, out_features: int) -> None:
        super().__init__(n_agents, lambda: nn.Linear(in_features, out_features))

    def forward(self, inputs: Tensor, relu: bool = False) -> Tensor:
        """Map (R, n, in) to (R, n, out), with ``relu`` through a ReLU."""
        outputs = torch.baddbmm(self.bias.unsqueeze(1), inputs.transpose(0, 1), self.weight.mT)
        return (outputs.relu() if relu else outputs).transpose(0, 1)
