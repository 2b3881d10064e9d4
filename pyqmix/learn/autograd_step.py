"""The training step by autograd: for every network, target and device."""

from __future__ import annotations

from torch import Tensor

from pyqmix.learn.joint import JointMixer, joint_loss
from pyqmix.learn.rows import StepRows
from pyqmix.learn.step import TrainingStep
from pyqmix.learn.targets import make_targets


class AutogradStep(TrainingStep):
    """Computes values and targets by the networks' own forward passes, and the gradient by autograd."""

    def gradients(self, rows: StepRows, rewards: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the loss (), the values and the targets (N, *M), and write the gradient of the loss."""
        loss, values, targets = self.loss(rows, rewards, weights)
        self.networks.flat.set_grads(loss)
        return loss.detach(), values, targets

    def loss(self, rows: StepRows, rewards: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the loss (), from which gradients flow, the values and the targets (N, *M)."""
        online_qs = self.networks.agent.unroll(rows.obs, rows.point_counts)
        targets = self.targets(rows, rewards, online_qs)
        mixer = self.networks.mixer
        if isinstance(mixer, JointMixer):
            loss, values = joint_loss(mixer, rows, online_qs, targets, weights)
        else:
            states = rows.at_steps(rows.states)
            loss, values = mixer.loss(rows.chosen(online_qs), states, targets, weights)
        return loss, values, targets

    def targets(self, rows: StepRows, rewards: Tensor, online_qs: Tensor | None) -> Tensor:
        """Compute the targets (N, *M); with double-Q, online_qs (P, n, A) choose the actions."""
        choosing = None if online_qs is None or not self.config.double_q else online_qs.detach()
        networks = self.networks
        return make_targets(rows, rewards, choosing, networks.target_agent, networks.target_mixer, self.config)
