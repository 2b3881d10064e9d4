"""Qatten: the joint value as a sum of the agents' values, weighted by attention of the state to the agents."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from pyqmix import ops
from pyqmix.base.options import require_int
from pyqmix.learn.rows import StepRows
from pyqmix.methods.greedy import at_next, bootstrap
from pyqmix.nn.linear import TwoLayers
from pyqmix.nn.mixers import squared_error


class Qatten(nn.Module):
    """Joint value ``Q_tot = c(s) + Σ_h w_h(s) Σ_i λ_ih Q_i``, ``λ_ih = softmax_i(k_ih · q_h(s) / √E)``, w_h ≥ 0.

    It is monotone in every Q_i: each agent's greedy action is the joint one's. The keys k_ih are linear maps of an
    agent's properties; the paper takes those from the state, of which the parts of an agent are not known here, so
    an agent's observation stands for them. Two parts of the authors' code are left out: keys that read Q_i too,
    with which Q_tot need not be monotone, and a penalty on the attention's logits, which the paper does not have.

    Args:
        n_agents: n.
        state_dim: S.
        obs_dim: O.
        obs_scale: O factors by which observations are multiplied first; None: they are not.
        embed_dim: E, width of keys and queries.
        hypernet_dim: hidden units of the networks of the queries, w and c.
        n_heads: H, attention heads.

    Raises:
        ConfigError: n_heads is no positive integer.

    Source: Yang et al., arXiv:2002.03939, section 4: attention, and the weighted heads (Qatten-weighted).
    """

    native_kind: ClassVar[str | None] = None
    obs_scale: Tensor | None

    def __init__(
        self,
        n_agents: int,
        state_dim: int,
        obs_dim: int,
        obs_scale: Sequence[float] | None = None,
        embed_dim: int = 32,
        hypernet_dim: int = 64,
        n_heads: int = 4,
    ) -> None:
        super().__init__()
        require_int("n_heads", n_heads, 1)
        self.n_heads, self.embed_dim = n_heads, embed_dim
        self.register_buffer("obs_scale", None if obs_scale is None else torch.tensor(obs_scale), persistent=False)
        self.queries = TwoLayers(state_dim, hypernet_dim, n_heads * embed_dim)
        self.keys = nn.Linear(obs_dim, n_heads * embed_dim, bias=False)  # softmax over agents cancels a bias
        self.head_weights = TwoLayers(state_dim, hypernet_dim, n_heads)
        self.constant = TwoLayers(state_dim, hypernet_dim, 1)

    def attention(self, states: Tensor, obs: Tensor) -> Tensor:
        """Compute λ (N, H, n) of states (N, S) and observations (N, n, O)."""
        obs = obs if self.obs_scale is None else obs * self.obs_scale
        queries: Tensor = self.queries(states).unflatten(-1, (self.n_heads, 1, self.embed_dim))
        keys: Tensor = (
            self.keys(obs).unflatten(-1, (self.n_heads, self.embed_dim)).transpose(-3, -2)
        )  # (N, H, n, E)
        return ((queries * keys).sum(-1) / math.sqrt(self.embed_dim)).softmax(-1)

    def forward(self, agent_qs: Tensor, states: Tensor, obs: Tensor) -> Tensor:
        """Mix agent_qs (N, n) under states (N, S) and observations (N, n, O) into q_tot (N,)."""
        heads = (self.attention(states, obs) * agent_qs.unsqueeze(-2)).sum(-1)
        mixed: Tensor = (self.head_weights(states).abs() * heads).sum(-1) + self.constant(states).squeeze(-1)
        return mixed

    def batch_loss(self, rows: StepRows, qs: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the squared error of q_tot; see :class:`pyqmix.learn.joint.JointMixer`."""
        values = self(rows.chosen(qs), rows.at_steps(rows.states), rows.at_steps(rows.obs))
        return squared_error(values, targets, weights)

    def batch_targets(
        self, rows: StepRows, rewards: Tensor, next_qs: Tensor, online_next_qs: Tensor | None, gamma: float
    ) -> Tensor:
        """Compute the targets; see :class:`pyqmix.learn.joint.JointMixer`."""
        chosen = ops.greedy_next_qs(next_qs, rows.next_avail, rows.terminated, online_next_qs)
        values = self(chosen, at_next(rows, rows.states), at_next(rows, rows.obs))
        return bootstrap(rows, rewards, values, gamma)
