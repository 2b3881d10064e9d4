"""QTRAN-base: an unrestricted joint value, and agents whose sum of values has its greedy action."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from pyqmix.base.options import require_int, require_number
from pyqmix.learn.rows import StepRows
from pyqmix.methods.greedy import at_next, bootstrap, greedy_actions, next_greedy_actions, of_actions, one_hot
from pyqmix.methods.layers import FeedForward
from pyqmix.nn.mixers import squared_error


class QTRANBase(nn.Module):
    """Loss ``L_td + λ_opt L_opt + λ_nopt L_nopt`` of the joint value Q_jt, the state's value V_jt and the agents.

    With ū the agents' greedy actions, ``Q'_jt(u) = Σ_i Q_i(u_i)`` and Q̂_jt = Q_jt without gradient:

    * ``L_td   = (Q_jt(τ, u) − y)²`` with ``y = r + γ Q_jt(τ', ū'; θ⁻)``
    * ``L_opt  = (Q'_jt(τ, ū) − Q̂_jt(τ, ū) + V_jt(τ))²``
    * ``L_nopt = min(Q'_jt(τ, u) − Q̂_jt(τ, u) + V_jt(τ), 0)²``

    Q_jt reads the state and the joint action, as one of PyMARL's variants does. The paper's reads hidden features
    of the agent networks instead, which an agent network need not have here.

    Args:
        n_agents: n.
        state_dim: S.
        n_actions: A.
        lambda_opt, lambda_nopt: at least 0.
        joint_dim: width of the two hidden layers of the networks of Q_jt and V_jt.

    Raises:
        ConfigError: an option has no usable value.

    Source: Son et al., arXiv:1905.05408, theorem 1 and section 3.2 (loss functions, QTRAN-base).
    """

    native_kind: ClassVar[str | None] = None

    def __init__(
        self,
        n_agents: int,
        state_dim: int,
        n_actions: int,
        lambda_opt: float = 1.0,
        lambda_nopt: float = 1.0,
        joint_dim: int = 64,
    ) -> None:
        super().__init__()
        require_number("lambda_opt", lambda_opt, low=0.0)
        require_number("lambda_nopt", lambda_nopt, low=0.0)
        require_int("joint_dim", joint_dim, 1)
        self.n_actions, self.lambda_opt, self.lambda_nopt = n_actions, lambda_opt, lambda_nopt
        self.joint = FeedForward(state_dim + n_agents * n_actions, joint_dim, joint_dim, 1)
        self.state_value = FeedForward(state_dim, joint_dim, joint_dim, 1)

    def forward(self, states: Tensor, actions: Tensor) -> Tensor:
        """Compute Q_jt (N,) of joint actions (N, n) under states (N, S)."""
        values: Tensor = self.joint(states, one_hot(actions, self.n_actions, states))
        return values.squeeze(-1)

    def batch_loss(self, rows: StepRows, qs: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the loss; the values are Q_jt's. See :class:`pyqmix.learn.joint.JointMixer`."""
        states, now = rows.at_steps(rows.states), rows.at_steps(qs)
        joint = self(states, rows.actions)
        loss, values = squared_error(joint, targets, weights)
        greedy = greedy_actions(now, rows.now_avail)
        with torch.no_grad():
            greedy_joint = self(states, greedy)
        v = self.state_value(states).squeeze(-1)
        of_greedy = of_actions(now, greedy).sum(-1) - greedy_joint + v
        of_taken = (of_actions(now, rows.actions).sum(-1) - values + v).clamp(max=0.0)
        loss = loss + self.lambda_opt * (weights * of_greedy.square()).sum()
        return loss + self.lambda_nopt * (weights * of_taken.square()).sum(), values

    def batch_targets(
        self, rows: StepRows, rewards: Tensor, next_qs: Tensor, online_next_qs: Tensor | None, gamma: float
    ) -> Tensor:
        """Compute the targets of Q_jt; see :class:`pyqmix.learn.joint.JointMixer`."""
        actions = next_greedy_actions(rows, next_qs if online_next_qs is None else online_next_qs)
        return bootstrap(rows, rewards, self(at_next(rows, rows.states), actions), gamma)
