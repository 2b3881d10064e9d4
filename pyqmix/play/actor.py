"""What gives the values that Python episodes are played by: the agent's twin in C++, or the agent itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyqmix import _C
from pyqmix.base.network_spec import NetworkSpec, native_network_spec
from pyqmix.base.spec import EpisodeSpec
from pyqmix.nn import Agent
from pyqmix.nn.actor_weights import ActorWeights
from pyqmix.nn.copying import copied
from pyqmix.nn.native import native_kind


class Actor(Protocol):
    """The policy of several episodes that are played side by side, each with a hidden state of its own."""

    def begin(self, episodes: int) -> None:
        """Take the agent's present weights, and forget the hidden states of all episodes."""

    def forget(self, row: int) -> None:
        """Set one episode's hidden state to that of an episode's start."""

    def values(self, obs: NDArray[np.float32], rows: Sequence[int]) -> NDArray[np.float32]:
        """Map observations (K, n, O) of the K episodes ``rows`` to their values (K, n, A)."""


def create_actor(agent: Agent, spec: EpisodeSpec) -> Actor:
    """Build the actor of an agent: without PyTorch where the agent has a native twin."""
    policy = native_policy(agent, spec)
    return TorchActor(agent) if policy is None else NativeActor(agent, policy, spec)


class NativeActor:
    """Values by the extension, on the CPU. A row's values do not depend on the other rows of a call."""

    def __init__(self, agent: Agent, policy: _C.Policy, spec: EpisodeSpec) -> None:
        self._agent, self._policy = agent, policy
        self._shape = (spec.n_agents, agent.hidden_dim)
        self._hidden: NDArray[np.float32] | None = None

    def begin(self, episodes: int) -> None:
        """Copy the agent's weights; waits for a GPU."""
        self._policy.load(ActorWeights.of(self._agent).block)
        self._hidden = np.zeros((episodes, *self._shape), np.float32) if self._agent.recurrent else None

    def forget(self, row: int) -> None:
        """Set an episode's hidden state to zero."""
        if self._hidden is not None:
            self._hidden[row] = 0

    def values(self, obs: NDArray[np.float32], rows: Sequence[int]) -> NDArray[np.float32]:
        """Return the values (K, n, A)."""
        if self._hidden is None:
            return self._policy.values(obs)
        hidden = self._hidden[list(rows)]
        qs = self._policy.values(obs, hidden)
        self._hidden[list(rows)] = hidden
        return qs


class TorchActor:
    """Values by the agent itself, or by a copy on the CPU of an agent on a GPU.

    Few episodes at a time are acted for sooner on the CPU: a GPU takes longer to be asked. Values may differ in
    their last bit with the number of rows of a call.
    """

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        on_cpu = next(agent.parameters()).device.type == "cpu"
        self._actor = agent if on_cpu else copied(agent).to("cpu")
        self._hidden: Tensor | None = None
        self._initial: Tensor | None = None

    def begin(self, episodes: int) -> None:
        """Bring the copy up to date."""
        if self._actor is not self._agent:
            ActorWeights.of(self._agent).load_into(self._actor)
        with torch.inference_mode():
            hidden = self._actor.initial_hidden(episodes)
            self._hidden, self._initial = hidden, None if hidden is None else hidden[:1].clone()

    def forget(self, row: int) -> None:
        """Set an episode's hidden state to the agent's initial one."""
        if self._hidden is not None and self._initial is not None:
            with torch.inference_mode():
                self._hidden[row] = self._initial[0]

    @torch.inference_mode()
    def values(self, obs: NDArray[np.float32], rows: Sequence[int]) -> NDArray[np.float32]:
        """Return the values (K, n, A)."""
        if self._hidden is None:
            qs, _ = self._actor.act(torch.from_numpy(obs), None)
        else:
            index = list(rows)
            qs, following = self._actor.act(torch.from_numpy(obs), self._hidden[index])
            if following is not None:
                self._hidden[index] = following
        values: NDArray[np.float32] = qs.numpy()
        return values


def native_policy(agent: Agent, spec: EpisodeSpec) -> _C.Policy | None:
    """Build the agent's twin in C++, without its weights; None if it has none, so that Python must act.

    Args:
        agent: the policy.
        spec: the sizes of its environment's episodes.

    Raises:
        ValueError: the agent's scale is not one of the environment's observations.
    """
    kind = native_kind(agent)
    if kind is None:
        return None
    networks = NetworkSpec(
        n_agents=spec.n_agents,
        obs_dim=spec.obs_dim,
        n_actions=spec.n_actions,
        state_dim=spec.state_dim,
        agent=kind,
        hidden_dims=(agent.hidden_dim, agent.hidden_dim),
        agent_id=agent.agent_id,
        share_parameters=agent.share_parameters,
        obs_scale=None if agent.obs_scale is None else tuple(agent.obs_scale.tolist()),
    )
    if [tuple(p.shape) for p in agent.parameters()] != networks.agent_parameters():
        return None  # layers of other widths
    return _C.Policy(native_network_spec(networks))
