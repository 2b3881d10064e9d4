"""Layers of which every agent has its own, computed for all agents at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from pyqmix.ops import reference


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


class PerAgentGRU(PerAgent):
    """One gated recurrent unit for each agent; parameters of ``torch.nn.GRU``, stacked."""

    weight_ih_l0: Tensor
    weight_hh_l0: Tensor
    bias_ih_l0: Tensor
    bias_hh_l0: Tensor

    def __init__(self, n_agents: int, in_features: int, hidden_dim: int) -> None:
        super().__init__(n_agents, lambda: nn.GRU(in_features, hidden_dim))

    def forward(
        self, features: Tensor, batch_sizes: Sequence[int] | None = None, hidden: Tensor | None = None
    ) -> Tensor:
        """Map features to hidden states.

        Args:
            features: (R, n, in), packed; or (K, n, in), of one step.
            batch_sizes: the number of sequences at each step of packed features, which start from zero.
            hidden: (K, n, H), before the one step.

        Returns:
            (R, n, H) or (K, n, H).
        """
        weights, biases = (self.weight_ih_l0, self.weight_hh_l0), (self.bias_ih_l0, self.bias_hh_l0)
        if hidden is None:
            return reference.gru(features, batch_sizes or (), *weights, *biases)
        sums = torch.baddbmm(biases[0].unsqueeze(1), features.transpose(0, 1), weights[0].mT)
        return reference.gru_step(sums, hidden.transpose(0, 1), weights[1], biases[1]).transpose(0, 1)
