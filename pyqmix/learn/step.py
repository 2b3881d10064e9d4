"""What a training step reads, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pyqmix.learn.rows import StepRows
from pyqmix.replay.batch import EpisodeBatch


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
    """What an update saw, on the training device, which nobody has waited for.

    Attributes:
        scalars: (4,), detached: the following four.
        episode_errors: (B,), the mean absolute error of each episode's steps, where sampling is prioritised.
    """

    scalars: Tensor
    episode_errors: Tensor | None = None

    @property
    def loss(self) -> Tensor:
        """The loss."""
        return self.scalars[0]

    @property
    def q_mean(self) -> Tensor:
        """Mean of the values that the targets were compared with."""
        return self.scalars[1]

    @property
    def target_mean(self) -> Tensor:
        """Mean of the targets."""
        return self.scalars[2]

    @property
    def grad_norm(self) -> Tensor:
        """Norm of the whole gradient before clipping."""
        return self.scalars[3]

    def copy(self) -> UpdateStats:
        """Return the same in memory of its own."""
        errors = self.episode_errors
        return UpdateStats(self.scalars.clone(), None if errors is None else errors.clone())


@torch.no_grad()
def episode_errors(rows: StepRows, values: Tensor, targets: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Compute the mean absolute error (B,) of each episode's steps; NaN for an episode without a step here.

    Args:
        rows: N steps, and where in the batch each comes from; one may be there twice.
        values: (N, *M), the mean of whose M errors is a step's.
        targets: (N, *M).
        shape: (B, T), the batch's.
    """
    errors = (targets - values).abs().reshape(len(values), -1).mean(1)
    padded = errors.new_zeros(2, *shape)
    real = rows.real.to(errors)
    padded[0, rows.episodes, rows.times] = errors * real
    padded[1, rows.episodes, rows.times] = real
    sums, lengths = padded.sum(-1).unbind()
    return sums / lengths
