"""Sizes of the networks of a training step."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class QMixShape:
    """Sizes of the networks.

    Attributes:
        n_agents: n.
        obs_dim: O.
        sizes: the outputs of each of the agent network's layers, the last of which are the A actions. There is a
            ReLU between each two layers, but none behind a recurrent one.
        agent_id: whether a shared agent network is told which agent it acts for.
        share_parameters: one agent network for all; otherwise its parameters have a leading dimension n.
        state_dim: S.
        embed_dim: E.
        hypernet_dim: H; 0 for hypernetworks of one layer.
        recurrent: whether the agent network's second layer of three is a gated recurrent unit.
    """

    n_agents: int
    obs_dim: int
    sizes: tuple[int, ...]
    agent_id: bool
    share_parameters: bool
    state_dim: int
    embed_dim: int
    hypernet_dim: int
    recurrent: bool = False

    def agent_parameters(self) -> list[tuple[int, ...]]:
        """Return the shapes of the agent network's parameters in their order."""
        groups = () if self.share_parameters else (self.n_agents,)
        inputs = self.obs_dim + (self.n_agents if self.share_parameters and self.agent_id else 0)
        shapes: list[tuple[int, ...]] = []
        for k, outputs in enumerate(self.sizes):
            if self.recurrent and k == 1:
                gates = 3 * outputs
                of_layer = [(gates, inputs), (gates, outputs), (gates,), (gates,)]
            else:
                of_layer = [(outputs, inputs), (outputs,)]
            shapes += [(*groups, *shape) for shape in of_layer]
            inputs = outputs
        return shapes

    def mixer_parameters(self) -> list[tuple[int, ...]]:
        """Return the shapes of the mixing network's parameters in the order of ``QMixer.parameters()``."""
        state, embed, hyper = self.state_dim, self.embed_dim, self.hypernet_dim
        weights = self.n_agents * embed
        if hyper:
            layers = [(hyper, state), (weights, hyper), (embed, state), (hyper, state), (embed, hyper)]
        else:
            layers = [(weights, state), (embed, state), (embed, state)]
        layers += [(embed, state), (1, embed)]
        return [shape for layer in layers for shape in (layer, layer[:1])]
