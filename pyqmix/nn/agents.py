"""The agent networks of the package."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from pyqmix import ops
from pyqmix.nn.layered_agent import LayeredAgent
from pyqmix.nn.linear import LINEAR, linear_relu
from pyqmix.nn.per_agent import PerAgentGRU
from pyqmix.nn.untouched import may_fuse, untouched_parameters
from pyqmix.ops.gru import check_batch_sizes
from pyqmix.ops.mlp import can_fuse

_GRU_PARAMETERS = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")


class MLPAgent(LayeredAgent):
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
        super().__init__(n_agents, hidden_dim, agent_id, share_parameters, obs_scale)
        self.fc1 = self._make_first(obs_dim)
        self.fc2 = self._make_linear(hidden_dim)
        self.fc3 = self._make_linear(n_actions)

    def untouched_parameters(self) -> list[Tensor] | None:
        """Return the parameters in the order of parameters(); None if a layer is not as it was made."""
        first = untouched_parameters(self.fc1, self._first_kind(), LINEAR)
        second, last = (untouched_parameters(x, self._linear_kind(), LINEAR) for x in (self.fc2, self.fc3))
        return None if first is None or second is None or last is None else first + second + last

    def initial_hidden(self, episodes: int) -> Tensor | None:
        """Return the hidden state at an episode's start: this network has none."""
        return None

    def act(self, obs: Tensor, hidden: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Map observations (K, n, O) of K episodes to values (K, n, A) and the next hidden state."""
        return self.unroll(obs), None

    def unroll(self, obs: Tensor, batch_sizes: Tensor | None = None) -> Tensor:
        """Map packed observations (R, n, O) to values (R, n, A); ``batch_sizes`` is not needed."""
        obs = self.read(obs)
        parameters = self.untouched_parameters() if may_fuse(obs) else None
        if parameters is None or not can_fuse(obs, parameters):
            hidden = linear_relu(self.fc2, self._apply_first(self.fc1, obs), self._linear_kind())
            return cast(Tensor, self.fc3(hidden))
        if not self.share_parameters:
            return ops.mlp(obs, parameters)
        n_agents = obs.shape[1]
        qs = ops.mlp(obs.flatten(0, 1), parameters, one_hot=n_agents if self.agent_id else 0)
        return qs.view(-1, n_agents, qs.shape[-1])


class GRUAgent(LayeredAgent):
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
        super().__init__(n_agents, hidden_dim, agent_id, share_parameters, obs_scale)
        self.fc1 = self._make_first(obs_dim)
        self.rnn: nn.Module
        if share_parameters:
            self.rnn = nn.GRU(hidden_dim, hidden_dim)
        else:
            self.rnn = PerAgentGRU(n_agents, hidden_dim, hidden_dim)
        self.fc2 = self._make_linear(n_actions)

    def initial_hidden(self, episodes: int) -> Tensor | None:
        """Return the hidden state at an episode's start: zeros (K, n, H)."""
        return next(self.parameters()).new_zeros(episodes, self.n_agents, self.hidden_dim)

    def act(self, obs: Tensor, hidden: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Map observations (K, n, O) and hidden (K, n, H) to values (K, n, A) and the next hidden."""
        if hidden is None:
            raise ValueError("hidden: expected what initial_hidden or the last act returned, got None")
        features = self._apply_first(self.fc1, self.read(obs))
        if self.share_parameters:
            with _parameters_may_lie_in_a_block(features):
                _, last = self.rnn(features.flatten(0, 1).unsqueeze(0), hidden.flatten(0, 1).unsqueeze(0))
            last = last.squeeze(0).view_as(hidden)
        else:
            last = self.rnn(features, hidden=hidden)
        return self.fc2(last), last

    def unroll(self, obs: Tensor, batch_sizes: Tensor | None = None) -> Tensor:
        """Map packed observations (R, n, O) to values (R, n, A), from a hidden state of zero.

        Args:
            obs: (R, n, O), R the sum of ``batch_sizes``.
            batch_sizes: (T,) int64 on the CPU, the number of episodes that reach each time step.
        """
        if batch_sizes is None:
            raise ValueError("batch_sizes: expected the number of episodes at each step, got None")
        obs, sizes = self.read(obs), batch_sizes.tolist()
        if self.share_parameters:  # every agent of every episode is a sequence of the same network
            sizes = [k * self.n_agents for k in sizes]
        parameters = self.untouched_parameters() if may_fuse(obs) else None
        if parameters is not None and can_fuse(obs, parameters):
            return self._unroll_fused(obs, sizes, parameters)
        features = self._apply_first(self.fc1, obs)
        if self.share_parameters:
            hidden = self._states(features.flatten(0, 1), sizes).unflatten(0, (-1, self.n_agents))
        else:
            hidden = self._states(features, sizes)
        return cast(Tensor, self.fc2(hidden))

    def _unroll_fused(self, obs: Tensor, sizes: list[int], parameters: list[Tensor]) -> Tensor:
        first, recurrent, last = parameters[:2], parameters[2:6], parameters[6:]
        if not self.share_parameters:
            features = ops.mlp(obs, first, final_relu=True)
            return ops.mlp(ops.gru(features, sizes, *recurrent), last)
        one_hot = self.n_agents if self.agent_id else 0
        features = ops.mlp(obs.flatten(0, 1), first, one_hot, final_relu=True)
        qs = ops.mlp(ops.gru(features, sizes, *recurrent), last)
        return qs.view(-1, self.n_agents, qs.shape[-1])

    def _states(self, features: Tensor, sizes: list[int]) -> Tensor:
        parameters = self._untouched_recurrent()
        if parameters is not None and (may_fuse(features) or torch.compiler.is_exporting()):
            return ops.gru(features, sizes, *parameters)
        check_batch_sizes("batch_sizes", sizes, len(features))
        if not sizes:
            return features
        if not self.share_parameters:
            return cast(Tensor, self.rnn(features, sizes))
        with _parameters_may_lie_in_a_block(features):
            if sizes[0] == sizes[-1]:  # all of one length, as those that are padded are
                return cast(Tensor, self.rnn(features.unflatten(0, (len(sizes), -1)))[0].flatten(0, 1))
            packed = PackedSequence(features, torch.tensor(sizes, device="cpu"))
            return cast(Tensor, self.rnn(packed)[0].data)

    def untouched_parameters(self) -> list[Tensor] | None:
        """Return the parameters in the order of parameters(); None if a layer is not as it was made."""
        first = untouched_parameters(self.fc1, self._first_kind(), LINEAR)
        recurrent, last = self._untouched_recurrent(), untouched_parameters(self.fc2, self._linear_kind(), LINEAR)
        return None if first is None or recurrent is None or last is None else first + recurrent + last

    def _untouched_recurrent(self) -> list[Tensor] | None:
        return untouched_parameters(self.rnn, nn.GRU if self.share_parameters else PerAgentGRU, _GRU_PARAMETERS)


@contextmanager
def _parameters_may_lie_in_a_block(inputs: Tensor) -> Iterator[None]:
    """Silence the complaint that cuDNN must copy the weights: they lie where the optimizer needs them."""
    if not inputs.is_cuda:
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous chunk")
        yield
