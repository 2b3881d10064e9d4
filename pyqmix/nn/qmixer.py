"""The monotonic mixing network of QMIX."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from pyqmix import ops
from pyqmix.nn.linear import Linear, TwoLayers, apply_stacked, layer_parameters
from pyqmix.nn.mixers import MonotoneMixer, squared_error
from pyqmix.nn.untouched import are_all_watched, is_watched, may_fuse
from pyqmix.ops.backend import wants_reference
from pyqmix.ops.checks import check_strided, check_tensor
from pyqmix.ops.eager import in_float32, is_autocast

_NETWORKS = ("hyper_w_1", "hyper_b_1", "hyper_w_final", "V")


def _hypernet(state_dim: int, hypernet_dim: int, out_dim: int, layers: int) -> nn.Module:
    return Linear(state_dim, out_dim) if layers == 1 else TwoLayers(state_dim, hypernet_dim, out_dim)


class QMixer(MonotoneMixer):
    """The monotonic mixing network of QMIX, its weights generated from the state by hypernetworks.

    Parameters carry PyMARL's names: ``hyper_w_1.0.weight``, ``hyper_w_1.2.weight``, … (``hyper_w_1.weight``
    with one layer), ``hyper_b_1.weight``, ``hyper_w_final…``, ``V.0.weight``, ``V.2.weight``, and biases.

    A subclass may define :meth:`forward`, of which loss and target are then computed, or :meth:`hypernetworks`.

    Args:
        n_agents: n.
        state_dim: S, width of the state.
        embed_dim: E, units of the mixing network's hidden layer.
        hypernet_dim: hidden units of the hypernetworks of the weights, where they have two layers.
        hypernet_layers: 1 (a linear layer) or 2 (linear - ReLU - linear).

    Raises:
        ValueError: a size is not a positive integer, or hypernet_layers is neither 1 nor 2.

    Source: Rashid et al., arXiv:1803.11485, section 4.1 and figure 2.
    """

    native_kind: ClassVar[str | None] = "qmix"

    def __init__(
        self,
        n_agents: int,
        state_dim: int,
        embed_dim: int = 32,
        hypernet_dim: int = 64,
        hypernet_layers: int = 2,
    ) -> None:
        super().__init__()
        sizes = {"n_agents": n_agents, "state_dim": state_dim, "embed_dim": embed_dim}
        for name, size in {**sizes, "hypernet_dim": hypernet_dim}.items():
            if not isinstance(size, int) or size < 1:
                raise ValueError(f"{name}: expected a positive integer, got {size!r}")
        if hypernet_layers not in (1, 2):
            raise ValueError(f"hypernet_layers: expected 1 or 2, got {hypernet_layers!r}")
        self.n_agents, self.state_dim, self.embed_dim = n_agents, state_dim, embed_dim
        self.hypernet_dim, self.hypernet_layers = hypernet_dim, hypernet_layers
        self.hyper_w_1 = _hypernet(state_dim, hypernet_dim, n_agents * embed_dim, hypernet_layers)
        self.hyper_b_1 = Linear(state_dim, embed_dim)
        self.hyper_w_final = _hypernet(state_dim, hypernet_dim, embed_dim, hypernet_layers)
        self.V = TwoLayers(state_dim, embed_dim, 1)

    def hypernetworks(self, states: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Map states (..., S) to w1 (..., n*E), b1 (..., E), w_final (..., E) and v (...)."""
        v = self.V(states).squeeze(-1)
        return self.hyper_w_1(states), self.hyper_b_1(states), self.hyper_w_final(states), v

    def _weights(self, states: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Compute :meth:`hypernetworks`; on a GPU with all layers that read the states as one."""
        stacks = states.is_cuda and not wants_reference() and not are_all_watched()
        parameters = self.untouched_parameters() if stacks else None
        return self.hypernetworks(states) if parameters is None else self._stacked(states, parameters)

    def _stacked(self, states: Tensor, parameters: list[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        layers = list(zip(parameters[::2], parameters[1::2], strict=True))
        if self.hypernet_layers == 2:
            w1_in, w1_out, of_b1, w_final_in, w_final_out, v_in, v_out = layers
            w1, w_final, v, b1 = apply_stacked(states, [w1_in, w_final_in, v_in], [of_b1])
            w1, w_final = ops.linear(w1, *w1_out), ops.linear(w_final, *w_final_out)
        else:
            of_w1, of_b1, of_w_final, v_in, v_out = layers
            v, b1, w1, w_final = apply_stacked(states, [v_in], [of_b1, of_w1, of_w_final])
        return w1, b1, w_final, ops.linear(v, *v_out).squeeze(-1)

    def forward(self, agent_qs: Tensor, states: Tensor) -> Tensor:
        """Mix agent_qs (..., n) under states (..., S) into q_tot (...); under autocast in float32.

        Raises:
            TypeError: an argument is of the wrong dtype.
            ValueError: an argument is of the wrong shape or on the wrong device.
        """
        if is_autocast(agent_qs):
            return in_float32(partial(QMixer.forward, self), agent_qs, states)
        parameters = self.untouched_parameters() if may_fuse(states) else None
        self._check_states(agent_qs, "agent_qs", 1, states, parameters)
        if parameters is not None:
            return ops.qmixer(agent_qs, states, parameters)
        return ops.mix(agent_qs, *self._weights(states))

    def loss(self, agent_qs: Tensor, states: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the weighted squared error () of q_tot, and q_tot (...); see :class:`Mixer`."""
        if self._is_more_than_mixing():
            return super().loss(agent_qs, states, targets, weights)
        if is_autocast(agent_qs):
            return in_float32(self.loss, agent_qs, states, targets, weights)
        parameters = self.untouched_parameters() if may_fuse(states) else None
        self._check_states(agent_qs, "agent_qs", 1, states, parameters)
        if parameters is not None:
            return ops.qmixer_loss(agent_qs, states, parameters, targets, weights)
        return squared_error(ops.mix(agent_qs, *self._weights(states)), targets, weights)

    @torch.no_grad()
    def td_target(
        self,
        next_qs: Tensor,
        avail: Tensor,
        rewards: Tensor,
        terminated: Tensor,
        gamma: float,
        next_states: Tensor,
        online_next_qs: Tensor | None = None,
    ) -> Tensor:
        """Compute the target (...) with this network as the target mixer; see :class:`Mixer`."""
        arguments = (next_qs, avail, rewards, terminated, gamma, next_states, online_next_qs)
        if self._is_more_than_mixing():
            return super().td_target(*arguments)
        if is_autocast(next_qs):
            return in_float32(self.td_target, *arguments)
        parameters = self.untouched_parameters() if may_fuse(next_states) else None
        self._check_states(next_qs, "next_qs", 2, next_states, parameters)
        if parameters is not None:
            return ops.qmixer_td_target(*arguments[:6], parameters, online_next_qs)
        weights = self._weights(next_states)
        return ops.td_target(next_qs, avail, rewards, terminated, gamma, *weights, online_next_qs)

    def _is_more_than_mixing(self) -> bool:
        """Whether loss and target must call this module: it has a forward of its own, or hooks."""
        return type(self).forward is not QMixer.forward or is_watched(self)

    def untouched_parameters(self) -> list[Tensor] | None:
        """Return weights and biases in the order of parameters(); None if a layer or method was changed."""
        if type(self).hypernetworks is not QMixer.hypernetworks or "hypernetworks" in self.__dict__:
            return None
        parameters: list[Tensor] = []
        for name in _NETWORKS:
            network = self._modules[name]
            of_layer = None if network is None else layer_parameters(network)
            if of_layer is None:
                return None
            parameters += of_layer
        return parameters if self._have_my_widths(parameters) else None

    def _have_my_widths(self, parameters: list[Tensor]) -> bool:
        """Whether hidden layers are as wide as they were made: exchanged ones fit each other at any width."""
        if len(parameters) != (14 if self.hypernet_layers == 2 else 10):
            return False
        if self.hypernet_layers == 2 and not parameters[1].numel() == parameters[7].numel() == self.hypernet_dim:
            return False
        return parameters[-3].numel() == self.embed_dim

    def _check_states(
        self, qs: Tensor, name: str, trailing: int, states: Tensor, parameters: Sequence[Tensor] | None
    ) -> None:
        check_strided(name, qs)
        parameter = next(self.parameters(), states) if parameters is None else parameters[0]
        agents = qs.shape[-trailing] if qs.dim() >= trailing else None
        if agents != self.n_agents:
            raise ValueError(f"{name}: expected {self.n_agents} agents, got shape {tuple(qs.shape)}")
        check_tensor(name, qs, qs.shape, parameter.dtype, parameter.device)
        expected = (*qs.shape[: qs.dim() - trailing], self.state_dim)
        check_tensor("states", states, expected, parameter.dtype, parameter.device)

    def extra_repr(self) -> str:
        """Name the sizes in the module's printout."""
        return f"n_agents={self.n_agents}, state_dim={self.state_dim}, embed_dim={self.embed_dim}"
