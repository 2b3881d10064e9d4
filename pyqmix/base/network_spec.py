"""Sizes of the agent network and the mixer: the one description that building, training and acting share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any

from pyqmix import _C


@dataclass(frozen=True)
class NetworkSpec:
    """Which networks are trained, and their sizes.

    Attributes:
        n_agents: n.
        obs_dim: O.
        n_actions: A.
        state_dim: S.
        agent: the agent network: ``mlp``, ``gru`` or a name that was registered.
        hidden_dims: the widths of the agent network's hidden layers, with a ReLU behind each. ``gru`` has two, of
            which the second is a gated recurrent unit without a ReLU behind it.
        agent_id: whether a shared agent network reads, one-hot, for which agent it acts.
        share_parameters: one agent network for all; otherwise its parameters have a leading dimension n.
        obs_scale: O factors by which the agent network multiplies observations first; None: it does not.
        mixer: ``qmix``, ``vdn``, ``iql`` or a name that was registered.
        embed_dim: E, units of the mixing network's hidden layer.
        hypernet_dim: H, hidden units of the hypernetworks, where they have two layers.
        hypernet_layers: 1 or 2.
        agent_args, mixer_args: keyword arguments of the agent network and of the mixer.
        options: further ones that a user's network gets if its signature names them: the run's options.
    """

    n_agents: int
    obs_dim: int
    n_actions: int
    state_dim: int
    agent: str = "mlp"
    hidden_dims: tuple[int, ...] = (64, 64)
    agent_id: bool = True
    share_parameters: bool = True
    obs_scale: tuple[float, ...] | None = None
    mixer: str = "qmix"
    embed_dim: int = 32
    hypernet_dim: int = 64
    hypernet_layers: int = 2
    agent_args: Mapping[str, Any] = field(default_factory=dict, compare=False)
    mixer_args: Mapping[str, Any] = field(default_factory=dict, compare=False)
    options: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def offered(self) -> dict[str, Any]:
        """Keyword arguments that a network gets if its signature names them; ``spec`` is this object.

        Raises:
            ValueError: hidden layers have several widths.
        """
        own = {each.name: getattr(self, each.name) for each in fields(self)}
        for name in ("agent_args", "mixer_args", "options"):
            del own[name]
        return {**self.options, **own, "hidden_dim": self.hidden_dim, "spec": self}

    @property
    def hidden_dim(self) -> int:
        """The one width of all hidden layers.

        Raises:
            ValueError: they have several widths, or there are none.
        """
        widths = set(self.hidden_dims)
        if len(widths) != 1:
            raise ValueError(f"hidden_dims: expected one width for all hidden layers, got {self.hidden_dims}")
        return widths.pop()

    @property
    def sizes(self) -> tuple[int, ...]:
        """The outputs of each of the agent network's layers."""
        return *self.hidden_dims, self.n_actions

    def agent_parameters(self) -> list[tuple[int, ...]]:
        """Return the shapes of the agent network's parameters in their order."""
        groups = () if self.share_parameters else (self.n_agents,)
        inputs = self.obs_dim + (self.n_agents if self.share_parameters and self.agent_id else 0)
        shapes: list[tuple[int, ...]] = []
        for k, outputs in enumerate(self.sizes):
            if self.agent == "gru" and k == 1:
                gates = 3 * outputs
                of_layer = [(gates, inputs), (gates, outputs), (gates,), (gates,)]
            else:
                of_layer = [(outputs, inputs), (outputs,)]
            shapes += [(*groups, *shape) for shape in of_layer]
            inputs = outputs
        return shapes

    def mixer_parameters(self) -> list[tuple[int, ...]]:
        """Return the shapes of the mixer's parameters in their order; only ``qmix`` has any."""
        if self.mixer != "qmix":
            return []
        state, embed, hyper = self.state_dim, self.embed_dim, self.hypernet_dim
        weights = self.n_agents * embed
        if self.hypernet_layers == 2:
            layers = [(hyper, state), (weights, hyper), (embed, state), (hyper, state), (embed, hyper)]
        else:
            layers = [(weights, state), (embed, state), (embed, state)]
        layers += [(embed, state), (1, embed)]
        return [shape for layer in layers for shape in (layer, layer[:1])]


@lru_cache(maxsize=64)
def native_network_spec(spec: NetworkSpec) -> _C.NetworkSpec:
    """Write a spec as the extension has it, which computes agent networks of the kinds ``mlp`` and ``gru`` alone.

    Raises:
        ValueError: the agent network is of another kind.
    """
    return _C.NetworkSpec(
        n_agents=spec.n_agents,
        obs_dim=spec.obs_dim,
        n_actions=spec.n_actions,
        agent=spec.agent,
        hidden_dims=list(spec.hidden_dims),
        agent_id=spec.agent_id,
        share_parameters=spec.share_parameters,
        obs_scale=list(spec.obs_scale or ()),
        state_dim=spec.state_dim,
        embed_dim=spec.embed_dim,
        hypernet_dim=spec.hypernet_dim if spec.hypernet_layers == 2 else 0,
    )
