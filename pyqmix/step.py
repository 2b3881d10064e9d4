"""What a training step reads, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pyqmix.batch import EpisodeBatch


@dataclass(frozen=True)
class StepInputs:
    """What a training step reads beside the networks.

    Attributes:
        batch: B episodes.
        importance: (B,), factors of the episodes' weights in the loss, where sampling is prioritised.
        draws: (N,) float64 in [0, 1), where single transitions are learned from: which ones.
    """

    batch: EpisodeBatch
    importance: Tensor | None = None
    draws: Tensor | None = None

    def to(self, device: torch.device) -> StepInputs:
        """Move every tensor to a device."""
        importance, draws = (None if x is None else x.to(device) for x in (self.importance, self.draws))
        return StepInputs(self.batch.to(device), importance, draws)


@dataclass(frozen=True)
class UpdateStats:
    """What an update saw: detached scalars on the training device, which nobody has waited for.

    Attributes:
        loss: the loss.
        q_mean: mean of the values that the targets were compared with.
        target_mean: mean of the targets.
        grad_norm: norm of the whole gradient before clipping.
        episode_errors: (B,), the mean absolute error of each episode's steps, where sampling is prioritised.
    """

    loss: Tensor
    q_mean: Tensor
    target_mean: Tensor
    grad_norm: Tensor
    episode_errors: Tensor | None = None

    def copy(self) -> UpdateStats:
        """Return the same in memory of its own."""
        errors = None if self.episode_errors is None else self.episode_errors.clone()
        return UpdateStats(
            self.loss.clone(), self.q_mean.clone(), self.target_mean.clone(), self.grad_norm.clone(), errors
        )
