"""Inputs and results of a training step, and the interface of the ways to take one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pyqmix.config import Config
from pyqmix.learn.networks import Networks
from pyqmix.learn.rows import StepRows
from pyqmix.replay.batch import EpisodeBatch


@dataclass(frozen=True)
class StepInputs:
    """Inputs of a training step, apart from the networks.

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
    """Means over an update, on the training device; computed without synchronising.

    Attributes:
        scalars: (4,), detached: loss, q_mean, target_mean, grad_norm.
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


class TrainingStep:
    """One way to take training steps, which a learner chooses when it is built.

    Args:
        networks: whose gradient is computed.
        config: the run's options.

    Attributes:
        batch_room: the ``room`` that :meth:`pyqmix.replay.EpisodeSampler.sample` should be given for its batches.
    """

    batch_room: int | None = None

    def __init__(self, networks: Networks, config: Config) -> None:
        self.networks, self.config = networks, config

    def take(self, step: Callable[[StepInputs], UpdateStats], inputs: StepInputs) -> UpdateStats:
        """Run a training step on inputs, which calls the other methods."""
        return step(inputs)

    def lay_out(self, batch: EpisodeBatch) -> StepRows:
        """Lay a batch's steps out as rows."""
        return StepRows.by_length(batch)

    def gradients(self, rows: StepRows, rewards: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Write the gradient of a batch's loss into the networks' block.

        Args:
            rows: N steps.
            rewards: (N,), those that are learned from.
            weights: (N,), of the steps' errors in the loss.

        Returns:
            The loss (), detached, the values (N, *M) and their targets (N, *M).

        Raises:
            NoAvailableActionError: names episode (its place in the batch), step and agent.
        """
        raise NotImplementedError

    def forget(self) -> None:
        """Forget where the optimizer's state lies, because it has moved."""


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
