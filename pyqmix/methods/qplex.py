"""QPLEX: duplex dueling, which represents every joint value whose greedy actions the agents find by themselves."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from pyqmix import ops
from pyqmix.base.options import require_int
from pyqmix.learn.rows import StepRows
from pyqmix.methods.greedy import at_next, bootstrap, greedy_actions, next_greedy_actions, of_actions, one_hot
from pyqmix.methods.layers import FeedForward
from pyqmix.nn.linear import TwoLayers
from pyqmix.nn.mixers import squared_error

_SMALLEST = 1e-10  # keeps weights above zero


class QPLEX(nn.Module):
    """Joint value ``Q_tot = Σ_i Q_i + Σ_i (λ_i − 1) A_i``, which equals ``Σ_i V_i + Σ_i λ_i A_i``.

    Each agent's value is transformed first, ``Q_i(τ, a_i) = w_i(τ) Q_i(τ_i, a_i) + b_i(τ)`` with w_i > 0; V_i is
    its maximum over the available actions and ``A_i = Q_i − V_i ≤ 0``. The importance weights
    ``λ_i(τ, a) = Σ_k λ_ik(τ, a) φ_ik(τ) υ_k(τ) > 0`` depend on the joint action. So Q_tot is greatest where every
    A_i is 0, whatever the parameters are. No gradient flows through the A_i of the second sum, which keeps the
    maximum stable. τ is the state here, as in the authors' code.

    Args:
        n_agents: n.
        state_dim: S.
        n_actions: A.
        hypernet_dim: hidden units of the networks of w and b.
        n_heads: K, attention heads. The defaults of the last three are the authors' values for small games; for
            StarCraft they took 4 heads and 1 layer, which are faster but learn matrix games late.
        attention_layers: linear layers, with ReLU between them, of the networks of υ, φ and λ. The heads share the
            hidden layers; the authors' heads have their own.
        attention_dim: hidden units of these.

    Raises:
        ConfigError: a size has no usable value.

    Source: Wang et al., arXiv:2008.01062, section 3.2: transformation, dueling mixing, attention.
    """

    native_kind: ClassVar[str | None] = None

    def __init__(
        self,
        n_agents: int,
        state_dim: int,
        n_actions: int,
        hypernet_dim: int = 64,
        n_heads: int = 10,
        attention_layers: int = 3,
        attention_dim: int = 64,
    ) -> None:
        super().__init__()
        sizes = {"n_heads": n_heads, "attention_layers": attention_layers, "attention_dim": attention_dim}
        for name, size in sizes.items():
            require_int(name, size, 1)
        self.n_actions, self.n_heads = n_actions, n_heads
        self.transform_w = TwoLayers(state_dim, hypernet_dim, n_agents)
        self.transform_b = TwoLayers(state_dim, hypernet_dim, n_agents)
        hidden = [attention_dim] * (attention_layers - 1)
        self.keys = FeedForward(state_dim, *hidden, n_heads)
        self.of_agents = FeedForward(state_dim, *hidden, n_heads * n_agents)
        self.of_actions = FeedForward(state_dim + n_agents * n_actions, *hidden, n_heads * n_agents)

    def importance(self, states: Tensor, actions: Tensor) -> Tensor:
        """Compute λ (N, n) of joint actions (N, n) under states (N, S)."""
        keys: Tensor = self.keys(states).abs() + _SMALLEST
        of_agents: Tensor = self.of_agents(states).sigmoid()
        of_actions: Tensor = self.of_actions(states, one_hot(actions, self.n_actions, states)).sigmoid()
        weights: Tensor = keys.unsqueeze(-1) * (of_agents * of_actions).unflatten(-1, (self.n_heads, -1))
        return weights.sum(-2)

    def forward(self, agent_qs: Tensor, greatest_qs: Tensor, states: Tensor, actions: Tensor) -> Tensor:
        """Compute the joint value (N,).

        Args:
            agent_qs: (N, n), of the actions.
            greatest_qs: (N, n), of the greedy available actions.
            states: (N, S).
            actions: (N, n) int64.
        """
        scale: Tensor = self.transform_w(states).abs() + _SMALLEST
        transformed: Tensor = scale * agent_qs + self.transform_b(states)
        advantages = (scale * (agent_qs - greatest_qs)).detach()
        total: Tensor = (transformed + (self.importance(states, actions) - 1) * advantages).sum(-1)
        return total

    def batch_loss(self, rows: StepRows, qs: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the squared error of the joint value; see :class:`pyqmix.learn.joint.JointMixer`."""
        now = rows.at_steps(qs)
        greatest = of_actions(now.detach(), greedy_actions(now, rows.now_avail))
        values: Tensor = self(of_actions(now, rows.actions), greatest, rows.at_steps(rows.states), rows.actions)
        return squared_error(values, targets, weights)

    def batch_targets(
        self, rows: StepRows, rewards: Tensor, next_qs: Tensor, online_next_qs: Tensor | None, gamma: float
    ) -> Tensor:
        """Compute the targets; see :class:`pyqmix.learn.joint.JointMixer`."""
        greatest = ops.greedy_next_qs(next_qs, rows.next_avail, rows.terminated)
        actions = next_greedy_actions(rows, next_qs if online_next_qs is None else online_next_qs)
        values = self(of_actions(next_qs, actions), greatest, at_next(rows, rows.states), actions)
        return bootstrap(rows, rewards, values, gamma)
