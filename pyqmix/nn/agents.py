"""Agent networks ``Q_i(o_i, ·; θ)``: one for all agents, told apart by a one-hot id, or one for each.

Observations are the environment's; a network with a scale multiplies them by it first.

Both take observations of one time step of several episodes (:meth:`act`) or of whole episodes
(:meth:`unroll`). The latter come *packed*: real steps only, time-major, episodes in order of falling
length, as ``torch.nn.utils.rnn.PackedSequence`` has it, so that padding costs nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from pyqmix import ops
from pyqmix.nn.linear import Linear
from pyqmix.nn.per_agent import PerAgent, PerAgentLinear
from pyqmix.ops import reference
from pyqmix.ops.gru import can_fuse
from pyqmix.ops.mlp import can_fuse as mlp_can_fuse

_GRU_PARAMETERS = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")


class _FirstLayer(Linear):
    """A linear layer on ``[observation, one-hot agent id]`` that never builds the one-hot part."""

    def __init__(self, obs_dim: int, n_agents: int, hidden_dim: int, agent_id: bool) -> None:
        super().__init__(obs_dim + (n_agents if agent_id else 0), hidden_dim)
        self.obs_dim = obs_dim

    def forward(self, inputs: Tensor, relu: bool = False) -> Tensor:
        """Map (..., n, O) to (..., n, H)."""
        bias: Tensor = self.bias
        if self.in_features > self.obs_dim:
            bias = bias + self.weight[:, self.obs_dim :].T
        return ops.linear(inputs, self.weight[:, : self.obs_dim], bias, relu)


class Agent(nn.Module):
    """The base of agent networks, which reads observations (..., O) times ``obs_scale`` (O,) where there is one.

    A subclass defines :meth:`initial_hidden`, :meth:`act` and :meth:`unroll`, which must agree. It acts in
    evaluation mode and learns in training mode; persistent buffers go with its parameters to the target network,
    to those who act, and to checkpoints.

    Args:
        obs_scale: O factors, which are in no state_dict; None: observations are read as they are.

    Attributes:
        native_kind: which agent network of the extension has these parameters in this order and computes the same;
            None: none does. A native policy then acts, and a native training step learns, in this network's place.
            A subclass does not inherit it.
        recurrent: its values depend on earlier steps of the episode too, so that it learns from whole episodes.
        hidden_dim, agent_id, share_parameters: of a native kind, the arguments that it was made with.
    """

    native_kind: ClassVar[str | None] = None
    recurrent: bool = False
    obs_scale: Tensor | None
    hidden_dim: int
    agent_id: bool
    share_parameters: bool

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        cls.native_kind = cls.__dict__.get("native_kind")

    def __init__(self, obs_scale: Sequence[float] | None = None) -> None:
        super().__init__()
        self.register_buffer("obs_scale", None if obs_scale is None else torch.tensor(obs_scale), persistent=False)

    def read(self, obs: Tensor) -> Tensor:
        """Return observations (..., O) as the network's first layer gets them."""
        return obs if self.obs_scale is None else obs * self.obs_scale

    def initial_hidden(self, episodes: int) -> Tensor | None:
        """Return the hidden state (K, ...) at the start of K episodes; None of a network that has none."""
        raise NotImplementedError

    def act(self, obs: Tensor, hidden: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Map observations (K, n, O) of K episodes to values (K, n, A) and the next hidden state (K, ...)."""
        raise NotImplementedError

    def unroll(self, obs: Tensor, batch_sizes: Tensor | None = None) -> Tensor:
        """Map packed observations (R, n, O) of whole episodes to values (R, n, A).

        Args:
            obs: (R, n, O), R the sum of ``batch_sizes``.
            batch_sizes: (T,) int64 on the CPU, the number of episodes that reach each time step.
        """
        raise NotImplementedError


def _first_layer(obs_dim: int, n_agents: int, hidden_dim: int, agent_id: bool, share: bool) -> nn.Module:
    if share:
        return _FirstLayer(obs_dim, n_agents, hidden_dim, agent_id)
    return PerAgentLinear(n_agents, obs_dim, hidden_dim)


def _linear(n_agents: int, in_features: int, out_features: int, share: bool) -> nn.Module:
    return Linear(in_features, out_features) if share else PerAgentLinear(n_agents, in_features, out_features)


class MLPAgent(Agent):
    """Linear - ReLU - linear - ReLU - linear.

    Args:
        obs_dim: O, width of one agent's observation.
        n_actions: A, actions of each agent.
        n_agents: n.
        hidden_dim: H, width of both hidden layers.
        agent_id: whether a shared network is told which agent it acts for.
        share_parameters: one network for all agents; otherwise every parameter has a leading dimension n.
        obs_scale: O factors by which observations are multiplied first; None: they are not.
    """

    native_kind: ClassVar[str | None] = "mlp"

    def __init__(
        self,
        obs_dim: int,
        n_actions: int,
        n_agents: int,
        hidden_dim: int = 64,
        agent_id: bool = True,
        share_parameters: bool = True,
        obs_scale: Sequence[float] | None = None,
    ) -> None:
        super().__init__(obs_scale)
        self.hidden_dim, self.agent_id, self.share_parameters = hidden_dim, agent_id, share_parameters
        self.fc1 = _first_layer(obs_dim, n_agents, hidden_dim, agent_id, share_parameters)
        self.fc2 = _linear(n_agents, hidden_dim, hidden_dim, share_parameters)
        self.fc3 = _linear(n_agents, hidden_dim, n_actions, share_parameters)

    def initial_hidden(self, episodes: int) -> Tensor | None:
        """Return the hidden state at an episode's start: this network has none."""
        return None

    def act(self, obs: Tensor, hidden: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Map observations (K, n, O) of K episodes to values (K, n, A) and the next hidden state."""
        return self.unroll(obs), None

    def unroll(self, obs: Tensor, batch_sizes: Tensor | None = None) -> Tensor:
        """Map packed observations (R, n, O) to values (R, n, A); ``batch_sizes`` is not needed."""
        obs = self.read(obs)
        parameters = [
            cast(Tensor, x) for layer in (self.fc1, self.fc2, self.fc3) for x in (layer.weight, layer.bias)
        ]
        if not mlp_can_fuse(obs, parameters):
            return cast(Tensor, self.fc3(self.fc2(self.fc1(obs, relu=True), relu=True)))
        if not self.share_parameters:
            return ops.mlp(obs, parameters)
        n_agents = obs.shape[1]
        qs = ops.mlp(obs.flatten(0, 1), parameters, one_hot=n_agents if self.agent_id else 0)
        return qs.view(-1, n_agents, qs.shape[-1])


class GRUAgent(Agent):
    """Linear - ReLU - GRU - linear; the values depend on the episode so far, ``Q_i(τ_i, ·)``.

    Args:
        obs_dim: O, width of one agent's observation.
        n_actions: A, actions of each agent.
        n_agents: n.
        hidden_dim: H, width of the first layer and of the hidden state.
        agent_id: whether a shared network is told which agent it acts for.
        share_parameters: one network for all agents; otherwise every parameter has a leading dimension n.
        obs_scale: O factors by which observations are multiplied first; None: they are not.
    """

    native_kind: ClassVar[str | None] = "gru"
    recurrent = True

    def __init__(
        self,
        obs_dim: int,
        n_actions: int,
        n_agents: int,
        hidden_dim: int = 64,
        agent_id: bool = True,
        share_parameters: bool = True,
        obs_scale: Sequence[float] | None = None,
    ) -> None:
        super().__init__(obs_scale)
        self.n_agents, self.hidden_dim = n_agents, hidden_dim
        self.agent_id, self.share_parameters = agent_id, share_parameters
        self.fc1 = _first_layer(obs_dim, n_agents, hidden_dim, agent_id, share_parameters)
        self.rnn: nn.Module
        if share_parameters:
            self.rnn = nn.GRU(hidden_dim, hidden_dim)
        else:
            self.rnn = PerAgent(n_agents, lambda: nn.GRU(hidden_dim, hidden_dim))
        self.fc2 = _linear(n_agents, hidden_dim, n_actions, share_parameters)

    def initial_hidden(self, episodes: int) -> Tensor | None:
        """Return the hidden state at an episode's start: zeros (K, n, H)."""
        return next(self.parameters()).new_zeros(episodes, self.n_agents, self.hidden_dim)

    def act(self, obs: Tensor, hidden: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Map observations (K, n, O) and hidden (K, n, H) to values (K, n, A) and the next hidden."""
        if hidden is None:
            raise ValueError("hidden: expected what initial_hidden or the last act returned, got None")
        features = self.fc1(self.read(obs), relu=True)
        if self.share_parameters:
            with _parameters_may_lie_in_a_block(features):
                _, last = self.rnn(features.flatten(0, 1).unsqueeze(0), hidden.flatten(0, 1).unsqueeze(0))
            last = last.squeeze(0).view_as(hidden)
        else:
            weight_ih, weight_hh, bias_ih, bias_hh = self._recurrent()
            sums = torch.baddbmm(bias_ih.unsqueeze(1), features.transpose(0, 1), weight_ih.mT)
            last = reference.gru_step(sums, hidden.transpose(0, 1), weight_hh, bias_hh).transpose(0, 1)
        return self.fc2(last), last

    def unroll(self, obs: Tensor, batch_sizes: Tensor | None = None) -> Tensor:
        """Map packed observations (R, n, O) to values (R, n, A), from a hidden state of zero.

        Args:
            obs: (R, n, O), R the sum of ``batch_sizes``.
            batch_sizes: (T,) int64 on the CPU, the number of episodes that reach each time step.
        """
        if batch_sizes is None:
            raise ValueError("batch_sizes: expected the number of episodes at each step, got None")
        features = self.fc1(self.read(obs), relu=True)
        if self.share_parameters:  # every agent of every episode is a sequence of the same network
            hidden = self._states(features.flatten(0, 1), batch_sizes * self.n_agents)
            hidden = hidden.unflatten(0, (-1, self.n_agents))
        else:
            hidden = self._states(features, batch_sizes)
        return cast(Tensor, self.fc2(hidden))

    def _states(self, features: Tensor, batch_sizes: Tensor) -> Tensor:
        parameters = self._recurrent()
        if can_fuse(features, *parameters):
            return ops.gru(features, batch_sizes, *parameters)
        if self.share_parameters:
            counts = batch_sizes.tolist()
            with _parameters_may_lie_in_a_block(features):
                if counts[0] == counts[-1]:  # all of one length, as those that are padded are
                    return cast(Tensor, self.rnn(features.unflatten(0, (len(counts), -1)))[0].flatten(0, 1))
                return cast(Tensor, self.rnn(PackedSequence(features, batch_sizes))[0].data)
        return reference.gru(features, batch_sizes, *parameters)

    def _recurrent(self) -> list[Tensor]:
        return [cast(Tensor, getattr(self.rnn, name)) for name in _GRU_PARAMETERS]


@contextmanager
def _parameters_may_lie_in_a_block(inputs: Tensor) -> Iterator[None]:
    """Silence the complaint that cuDNN must copy the weights: they lie where the optimizer needs them."""
    if not inputs.is_cuda:
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous chunk")
        yield
