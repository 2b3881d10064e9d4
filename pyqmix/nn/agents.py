"""Agent networks ``Q_i(o_i, ·; θ)``; one set of parameters for all agents, told apart by a one-hot id.

Both take observations of one time step of several episodes (:meth:`act`) or of whole episodes
(:meth:`unroll`). The latter come *packed*: real steps only, time-major, episodes in order of falling
length, as ``torch.nn.utils.rnn.PackedSequence`` has it, so that padding costs nothing.
"""

from __future__ import annotations

from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from pyqmix import ops
from pyqmix.ops.gru import can_fuse

_GRU_PARAMETERS = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")


class _FirstLayer(nn.Linear):
    """A linear layer on ``[observation, one-hot agent id]`` that never builds the one-hot part."""

    def __init__(self, obs_dim: int, n_agents: int, hidden_dim: int, agent_id: bool) -> None:
        super().__init__(obs_dim + (n_agents if agent_id else 0), hidden_dim)
        self.obs_dim = obs_dim

    def forward(self, obs: Tensor) -> Tensor:
        """Map (..., n, O) to (..., n, H)."""
        hidden = F.linear(obs, self.weight[:, : self.obs_dim], self.bias)
        if self.in_features > self.obs_dim:
            hidden = hidden + self.weight[:, self.obs_dim :].T
        return hidden


class MLPAgent(nn.Module):
    """Linear - ReLU - linear - ReLU - linear.

    Args:
        obs_dim: O, width of one agent's observation.
        n_actions: A, actions of each agent.
        n_agents: n.
        hidden_dim: H, width of both hidden layers.
        agent_id: whether the network is told which agent it acts for.
    """

    def __init__(
        self, obs_dim: int, n_actions: int, n_agents: int, hidden_dim: int = 64, agent_id: bool = True
    ) -> None:
        super().__init__()
        self.fc1 = _FirstLayer(obs_dim, n_agents, hidden_dim, agent_id)
        self.fc2 = nn.Linear(hidden_dim, hidden_dim)
        self.fc3 = nn.Linear(hidden_dim, n_actions)

    def initial_hidden(self, episodes: int) -> Tensor | None:
        """Return the hidden state at an episode's start: this network has none."""
        return None

    def act(self, obs: Tensor, hidden: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Map observations (K, n, O) of K episodes to values (K, n, A) and the next hidden state."""
        return self.unroll(obs), None

    def unroll(self, obs: Tensor, batch_sizes: Tensor | None = None) -> Tensor:
        """Map packed observations (R, n, O) to values (R, n, A); ``batch_sizes`` is not needed."""
        return cast(Tensor, self.fc3(F.relu(self.fc2(F.relu(self.fc1(obs))))))


class GRUAgent(nn.Module):
    """Linear - ReLU - GRU - linear; the values depend on the episode so far, ``Q_i(τ_i, ·)``.

    Args:
        obs_dim: O, width of one agent's observation.
        n_actions: A, actions of each agent.
        n_agents: n.
        hidden_dim: H, width of the first layer and of the hidden state.
        agent_id: whether the network is told which agent it acts for.
    """

    def __init__(
        self, obs_dim: int, n_actions: int, n_agents: int, hidden_dim: int = 64, agent_id: bool = True
    ) -> None:
        super().__init__()
        self.n_agents, self.hidden_dim = n_agents, hidden_dim
        self.fc1 = _FirstLayer(obs_dim, n_agents, hidden_dim, agent_id)
        self.rnn = nn.GRU(hidden_dim, hidden_dim)
        self.fc2 = nn.Linear(hidden_dim, n_actions)

    def initial_hidden(self, episodes: int) -> Tensor | None:
        """Return the hidden state at an episode's start: zeros (K, n, H)."""
        return self.fc2.weight.new_zeros(episodes, self.n_agents, self.hidden_dim)

    def act(self, obs: Tensor, hidden: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Map observations (K, n, O) and hidden (K, n, H) to values (K, n, A) and the next hidden."""
        if hidden is None:
            raise ValueError("hidden: expected what initial_hidden or the last act returned, got None")
        features = F.relu(self.fc1(obs)).flatten(0, 1).unsqueeze(0)
        _, last = self.rnn(features, hidden.flatten(0, 1).unsqueeze(0))
        last = last.squeeze(0).view_as(hidden)
        return self.fc2(last), last

    def unroll(self, obs: Tensor, batch_sizes: Tensor | None = None) -> Tensor:
        """Map packed observations (R, n, O) to values (R, n, A), from a hidden state of zero.

        Args:
            obs: (R, n, O), R the sum of ``batch_sizes``.
            batch_sizes: (T,) int64 on the CPU, the number of episodes that reach each time step.
        """
        if batch_sizes is None:
            raise ValueError("batch_sizes: expected the number of episodes at each step, got None")
        features, sizes = F.relu(self.fc1(obs)).flatten(0, 1), batch_sizes * self.n_agents
        rnn = self.rnn
        parameters = [cast(Tensor, getattr(rnn, name)) for name in _GRU_PARAMETERS]
        if can_fuse(features, *parameters):
            hidden = ops.gru(features, sizes, *parameters)
        else:
            hidden = rnn(PackedSequence(features, sizes))[0].data
        return cast(Tensor, self.fc2(hidden).unflatten(0, (-1, self.n_agents)))


Agent = MLPAgent | GRUAgent


def make_agent(
    name: str, *, obs_dim: int, n_actions: int, n_agents: int, hidden_dim: int, agent_id: bool
) -> Agent:
    """Build the agent network ``mlp`` or ``gru``."""
    kinds: dict[str, type[MLPAgent] | type[GRUAgent]] = {"mlp": MLPAgent, "gru": GRUAgent}
    return kinds[name](obs_dim, n_actions, n_agents, hidden_dim, agent_id)
