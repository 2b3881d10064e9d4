"""The base of the package's agent networks: linear layers, of one network for all agents or one for each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pyqmix import ops
from pyqmix.nn.agent import Agent
from pyqmix.nn.linear import Linear, linear_relu
from pyqmix.nn.per_agent import PerAgentLinear
from pyqmix.nn.untouched import is_untouched


class FirstLayer(Linear):
    """A linear layer on ``[observation, one-hot agent id]`` that never builds the one-hot part."""

    def __init__(self, obs_dim: int, n_agents: int, hidden_dim: int, agent_id: bool) -> None:
        super().__init__(obs_dim + (n_agents if agent_id else 0), hidden_dim)
        self.obs_dim = obs_dim

    def forward(self, inputs: Tensor, relu: bool = False) -> Tensor:
        """Map (..., n, O) to (..., n, H); or inputs that have the one-hot part too."""
        bias: Tensor = self.bias
        if inputs.shape[-1] == self.in_features:
            return ops.linear(inputs, self.weight, bias, relu)
        if self.in_features > self.obs_dim:
            bias = bias + self.weight[:, self.obs_dim :].T
        return ops.linear(inputs, self.weight[:, : self.obs_dim], bias, relu)


class LayeredAgent(Agent):
    """The base of agents that begin and end with linear layers, of one network for all agents or one for each."""

    def __init__(
        self,
        n_agents: int,
        hidden_dim: int,
        agent_id: bool,
        share_parameters: bool,
        obs_scale: Sequence[float] | None,
    ) -> None:
        super().__init__(obs_scale)
        self.n_agents, self.hidden_dim = n_agents, hidden_dim
        self.agent_id, self.share_parameters = agent_id, share_parameters

    def untouched_parameters(self) -> list[Tensor] | None:
        """Return the parameters in the order of parameters(); None if a layer is not as it was made."""
        raise NotImplementedError

    def _make_first(self, obs_dim: int) -> nn.Module:
        if self.share_parameters:
            return FirstLayer(obs_dim, self.n_agents, self.hidden_dim, self.agent_id)
        return PerAgentLinear(self.n_agents, obs_dim, self.hidden_dim)

    def _make_linear(self, out_features: int) -> nn.Module:
        if self.share_parameters:
            return Linear(self.hidden_dim, out_features)
        return PerAgentLinear(self.n_agents, self.hidden_dim, out_features)

    def _first_kind(self) -> type[nn.Module]:
        return FirstLayer if self.share_parameters else PerAgentLinear

    def _linear_kind(self) -> type[nn.Module]:
        return Linear if self.share_parameters else PerAgentLinear

    def _apply_first(self, layer: nn.Module, obs: Tensor) -> Tensor:
        """Apply the first layer and its ReLU; one that is not as it was made gets the one-hot part too."""
        if is_untouched(layer, self._first_kind()) or not (self.share_parameters and self.agent_id):
            return linear_relu(layer, obs, self._first_kind())
        ids = torch.eye(self.n_agents, dtype=obs.dtype, device=obs.device).expand(*obs.shape[:-1], -1)
        return linear_relu(layer, torch.cat([obs, ids], -1), self._first_kind())
