"""Mixers: they map the agents' values to the values of which temporal-difference errors are taken."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from pyqmix import ops
from pyqmix.nn.linear import Linear, TwoLayers, apply_stacked, own_tensor
from pyqmix.ops.backend import wants_reference
from pyqmix.ops.checks import check_tensor
from pyqmix.ops.qmixer import can_fuse


class Mixer(Protocol):
    """The learner's side of a mixer. ``M`` is () for a team value, (n,) for one value an agent.

    A mixer is a ``torch.nn.Module``. A user's gives targets in evaluation mode and learns in training mode.

    Where values and targets are computed at the same time, the learner asks for the values alone, and
    :func:`squared_error` is their loss.

    Attributes:
        native_kind: which mixer of the extension has these parameters in this order and computes the same; None:
            none does. A native training step then learns in this mixer's place.
    """

    native_kind: ClassVar[str | None]

    def __call__(self, agent_qs: Tensor, states: Tensor) -> Tensor:
        """Map the values (..., n) of the chosen actions and the states (..., S) to (..., *M)."""

    def loss(self, agent_qs: Tensor, states: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the loss and, detached, the values (..., *M) that it is of.

        The loss is the sum over rows of a row's weight (...) times its squared distance from its target
        (..., *M); where M is (n,), of the mean of the agents' squared distances.
        """

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
        """Compute the target (..., *M) of this mixer's value; arguments as :func:`pyqmix.ops.td_target`."""


def _hypernet(state_dim: int, hypernet_dim: int, out_dim: int, layers: int) -> nn.Module:
    return Linear(state_dim, out_dim) if layers == 1 else TwoLayers(state_dim, hypernet_dim, out_dim)


def squared_error(values: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the loss () of values (..., *M), and them detached; see :meth:`Mixer.loss`."""
    errors = targets - values
    if errors.dim() > weights.dim():  # independent learners: each agent has its own error
        weights = (weights / errors.shape[-1]).unsqueeze(-1)
    return torch.dot((errors * weights).flatten(), errors.flatten()), values.detach()


class MonotoneMixer(nn.Module):
    """The base of mixers that define their values alone, by ``forward(agent_qs, states)``.

    The values are monotone in every agent's value, ``dq_tot/dq_i >= 0``. So the maximum over joint actions is the
    value of the agents' own greedy actions, of which the target is taken (IGM; Rashid et al., arXiv:1803.11485,
    equation 5). A subclass that is not monotone defines :meth:`td_target` too.
    """

    native_kind: ClassVar[str | None] = None

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        cls.native_kind = cls.__dict__.get("native_kind")  # a subclass may compute something else

    def loss(self, agent_qs: Tensor, states: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the weighted squared error () of the values, and the values (..., *M); see :class:`Mixer`."""
        return squared_error(self(agent_qs, states), targets, weights)

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
        """Compute the target (..., *M); see :class:`Mixer`."""
        values = self(ops.greedy_next_qs(next_qs, avail, terminated, online_next_qs), next_states)
        of_agents = values.dim() > rewards.dim()
        team, ended = (x.unsqueeze(-1) if of_agents else x for x in (rewards, terminated))
        return torch.where(ended, team, team + gamma * values)


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
        own = type(self).hypernetworks is not QMixer.hypernetworks
        if not states.is_cuda or wants_reference() or own:
            return self.hypernetworks(states)
        return self._stacked(states)

    def _stacked(self, states: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        of_w1, of_w_final, of_v = self.hyper_w_1, self.hyper_w_final, self.V
        if isinstance(of_w1, nn.Sequential) and isinstance(of_w_final, nn.Sequential):
            w1, w_final, v, b1 = apply_stacked(states, [of_w1[0], of_w_final[0], of_v[0]], [self.hyper_b_1])
            w1, w_final = of_w1[2](w1), of_w_final[2](w_final)
        else:
            v, b1, w1, w_final = apply_stacked(states, [of_v[0]], [self.hyper_b_1, of_w1, of_w_final])
        v = of_v[2](v)
        return w1, b1, w_final, v.squeeze(-1)

    def forward(self, agent_qs: Tensor, states: Tensor) -> Tensor:
        """Mix agent_qs (..., n) under states (..., S) into q_tot (...).

        Raises:
            TypeError: an argument is of the wrong dtype.
            ValueError: an argument is of the wrong shape or on the wrong device.
        """
        self._check_states(agent_qs, "agent_qs", 1, states)
        parameters = self._fused(agent_qs, states)
        if parameters is not None:
            return ops.qmixer(agent_qs, states, parameters)
        return ops.mix(agent_qs, *self._weights(states))

    def loss(self, agent_qs: Tensor, states: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the weighted squared error () of q_tot, and q_tot (...); see :class:`Mixer`."""
        if type(self).forward is not QMixer.forward:
            return super().loss(agent_qs, states, targets, weights)
        self._check_states(agent_qs, "agent_qs", 1, states)
        parameters = self._fused(agent_qs, states)
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
        if type(self).forward is not QMixer.forward:
            arguments = (next_qs, avail, rewards, terminated, gamma, next_states, online_next_qs)
            return super().td_target(*arguments)
        self._check_states(next_qs, "next_qs", 2, next_states)
        parameters = self._fused(next_qs, next_states)
        if parameters is not None:
            return ops.qmixer_td_target(
                next_qs, avail, rewards, terminated, gamma, next_states, parameters, online_next_qs
            )
        weights = self._weights(next_states)
        return ops.td_target(next_qs, avail, rewards, terminated, gamma, *weights, online_next_qs)

    def _fused(self, qs: Tensor, states: Tensor) -> list[Tensor] | None:
        """Return the parameters with which the fused operations compute these inputs; None: they cannot."""
        if type(self).hypernetworks is not QMixer.hypernetworks:
            return None
        parameters = self._layers()
        return parameters if can_fuse(qs, states, parameters) else None

    def _layers(self) -> list[Tensor]:
        """Return weights and biases in the order of parameters(), each as its module shows it."""
        layers: list[nn.Module] = []
        for module in (self.hyper_w_1, self.hyper_b_1, self.hyper_w_final, self.V):
            if isinstance(module, nn.Sequential):
                first, _, last = module
                layers += [first, last]
            else:
                layers.append(module)
        return [own_tensor(layer, name) for layer in layers for name in ("weight", "bias")]

    def _check_states(self, qs: Tensor, name: str, trailing: int, states: Tensor) -> None:
        parameter = self.hyper_b_1.weight
        agents = qs.shape[-trailing] if qs.dim() >= trailing else None
        if agents != self.n_agents:
            raise ValueError(f"{name}: expected {self.n_agents} agents, got shape {tuple(qs.shape)}")
        check_tensor(name, qs, qs.shape, parameter.dtype, parameter.device)
        expected = (*qs.shape[: qs.dim() - trailing], self.state_dim)
        check_tensor("states", states, expected, parameter.dtype, parameter.device)

    def extra_repr(self) -> str:
        """Name the sizes in the module's printout."""
        return f"n_agents={self.n_agents}, state_dim={self.state_dim}, embed_dim={self.embed_dim}"


class VDNMixer(MonotoneMixer):
    """Value decomposition: the team's value is the sum of the agents'. Sunehag et al., arXiv:1706.05296."""

    def forward(self, agent_qs: Tensor, states: Tensor) -> Tensor:
        """Sum agent_qs (..., n) into q_tot (...); the states are not used."""
        return agent_qs.sum(-1)


class IQLMixer(MonotoneMixer):
    """Independent Q-learning: no mixing; each agent has its own error on the team's reward."""

    def forward(self, agent_qs: Tensor, states: Tensor) -> Tensor:
        """Return agent_qs (..., n) as they are; the states are not used."""
        return agent_qs
