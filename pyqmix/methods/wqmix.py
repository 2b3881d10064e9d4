"""Weighted QMIX: the monotonic value is fitted with more weight on joint actions that may be the best."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from pyqmix import ops
from pyqmix.base.network_spec import NetworkSpec
from pyqmix.base.options import require_int, require_number
from pyqmix.learn.rows import StepRows
from pyqmix.methods.greedy import at_next, bootstrap, greedy_actions, of_actions
from pyqmix.methods.layers import FeedForward
from pyqmix.nn import QMixer, make_agent
from pyqmix.nn.mixers import squared_error


class WeightedQMIX(nn.Module):
    """The parts that both weightings share: a QMIX mixer, and the unrestricted value Q̂*.

    Q̂* has agent networks of its own and an unrestricted mixing network: three hidden layers with ReLU on the state
    and its agents' values. The authors' code adds a network of the state alone to it, which changes no function
    that it can represent, and is left out. Both values learn from one target, whose joint action the QMIX agents
    choose and Q̂* rates: ``y = r + γ Q̂*(s', τ', argmax Q_tot(s', τ', ·))``.

    Args:
        n_agents: n.
        state_dim: S.
        spec: the run's networks; Q̂* has an agent network of the same kind and size.
        alpha: the weight in (0, 1] of joint actions that are taken for worse ones. The default is the value of the
            paper's predator-prey experiment and of PyMARL2.
        embed_dim, hypernet_dim, hypernet_layers: of the QMIX mixer, see :class:`pyqmix.nn.QMixer`.
        central_dim: width of the hidden layers of the unrestricted mixing network.

    Raises:
        ConfigError: alpha or central_dim has no usable value.

    Source: Rashid et al., arXiv:2006.10800, section 5 (deep RL algorithm) and figure 1.
    """

    native_kind: ClassVar[str | None] = None

    def __init__(
        self,
        n_agents: int,
        state_dim: int,
        spec: NetworkSpec,
        alpha: float = 0.1,
        embed_dim: int = 32,
        hypernet_dim: int = 64,
        hypernet_layers: int = 2,
        central_dim: int = 256,
    ) -> None:
        super().__init__()
        require_number("alpha", alpha, high=1.0, above=0.0)
        require_int("central_dim", central_dim, 1)
        self.alpha = alpha
        self.qmix = QMixer(n_agents, state_dim, embed_dim, hypernet_dim, hypernet_layers)
        self.central_agent = make_agent(spec)
        self.central_mixer = FeedForward(state_dim + n_agents, *[central_dim] * 3, 1)

    def forward(self, agent_qs: Tensor, states: Tensor) -> Tensor:
        """Mix agent_qs (..., n) under states (..., S) into the monotonic q_tot (...)."""
        q_tot: Tensor = self.qmix(agent_qs, states)
        return q_tot

    def central(self, agent_qs: Tensor, states: Tensor) -> Tensor:
        """Mix the values (N, n) of the agent networks of Q̂* under states (N, S) into Q̂* (N,)."""
        values: Tensor = self.central_mixer(states, agent_qs)
        return values.squeeze(-1)

    def batch_loss(self, rows: StepRows, qs: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the weighted loss of Q_tot plus the loss of Q̂*; see :class:`pyqmix.learn.joint.JointMixer`."""
        states = rows.at_steps(rows.states)
        q_tot = self.qmix(rows.chosen(qs), states)
        central_qs = self.central_agent.unroll(rows.obs, rows.point_counts)
        central = self.central(rows.chosen(central_qs), states)
        with torch.no_grad():
            full = self.has_full_weight(rows, qs, rows.at_steps(central_qs), states, q_tot, targets)
        loss, values = squared_error(q_tot, targets, torch.where(full, weights, self.alpha * weights))
        central_loss, _ = squared_error(central, targets, weights)
        return loss + central_loss, values

    def has_full_weight(
        self, rows: StepRows, qs: Tensor, central_qs: Tensor, states: Tensor, q_tot: Tensor, targets: Tensor
    ) -> Tensor:
        """Tell which steps (N,) have weight 1 in the loss of Q_tot; the others have alpha.

        Args:
            rows: N steps, P points.
            qs: (P, n, A), the agents' values.
            central_qs: (N, n, A), those of the agent networks of Q̂* at the steps' o.
            states: (N, S).
            q_tot: (N,), of the joint actions that were taken.
            targets: (N,).
        """
        raise NotImplementedError

    def batch_targets(
        self, rows: StepRows, rewards: Tensor, next_qs: Tensor, online_next_qs: Tensor | None, gamma: float
    ) -> Tensor:
        """Compute the targets of both values; see :class:`pyqmix.learn.joint.JointMixer`.

        The authors' code lets the online agents choose the action, as ``double_q`` does here; without it the
        target agents choose.
        """
        choosing = next_qs if online_next_qs is None else online_next_qs
        central_qs = at_next(rows, self.central_agent.unroll(rows.obs, rows.point_counts))
        rated = ops.greedy_next_qs(central_qs, rows.next_avail, rows.terminated, choosing)
        return bootstrap(rows, rewards, self.central(rated, at_next(rows, rows.states)), gamma)


class CWQMIX(WeightedQMIX):
    """Centrally weighted QMIX: ``w = 1 if y > Q̂*(s, τ, û) or u = û, else α``, û the greedy joint action.

    Q̂*(s, τ, û) is the online one, as the paper writes it; the authors' code takes the target network's.

    Source: Rashid et al., arXiv:2006.10800, section 5, "Weighting functions" (CW).
    """

    def has_full_weight(
        self, rows: StepRows, qs: Tensor, central_qs: Tensor, states: Tensor, q_tot: Tensor, targets: Tensor
    ) -> Tensor:
        """See :meth:`WeightedQMIX.has_full_weight`."""
        greedy = greedy_actions(rows.at_steps(qs), rows.now_avail)
        best = self.central(of_actions(central_qs, greedy), states)
        return (targets > best) | (rows.actions == greedy).all(-1)


class OWQMIX(WeightedQMIX):
    """Optimistically weighted QMIX: ``w = 1 if Q_tot(s, τ, u) < y, else α``.

    Source: Rashid et al., arXiv:2006.10800, section 5, "Weighting functions" (OW).
    """

    def has_full_weight(
        self, rows: StepRows, qs: Tensor, central_qs: Tensor, states: Tensor, q_tot: Tensor, targets: Tensor
    ) -> Tensor:
        """See :meth:`WeightedQMIX.has_full_weight`."""
        return q_tot < targets
