"""Prioritised sampling of whole episodes, by their mean temporal-difference errors.

Proportional prioritisation, Schaul et al., Prioritized Experience Replay, arXiv:1511.05952, section 3.3, with
episodes in the place of transitions: episode i has the priority p = mean |error| + 1e-6 and is drawn with
probability P(i) = p_i^α / Σ p^α, with replacement, one draw from each of B equal shares of the sum. Its loss is
weighted by (N P(i))^-β, N being the number of episodes, divided by the largest such weight of the batch.

Errors count from the draw after the next. By then an accelerator has long computed them, so nobody waits for it,
and the draws are the same on every device.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyqmix import _C
from pyqmix.replay.batch import EpisodeBatch
from pyqmix.replay.device_store import DeviceStore
from pyqmix.replay.ring import EpisodeRing
from pyqmix.replay.sampler import EpisodeSampler


@dataclass(frozen=True)
class _Learned:
    """A batch's errors (B,), on their way to the CPU until ``copied`` has happened."""

    places: NDArray[np.int64]
    errors: Tensor
    copied: torch.cuda.Event | None


class PrioritisedSampler(EpisodeSampler):
    """Draws batches of whole episodes by their priorities.

    An episode that no error is known of has the largest priority that any has had; one that is overwritten loses
    its own. Used from one thread at a time, in the process that made it.

    Args:
        ring: where the episodes lie.
        seed: the batches depend on it, on the ring's episodes and on the errors alone.
        alpha: α: 0 draws uniformly, 1 in proportion to the errors.
        store: keeps drawn episodes on a device, where the batches then lie.
    """

    def __init__(self, ring: EpisodeRing, seed: int, alpha: float, store: DeviceStore | None = None) -> None:
        self._prioritised = _C.PrioritisedSampler(ring.native, seed, alpha)
        super().__init__(ring.native, self._prioritised, store)
        self._places = np.empty((0, 2), np.int64)
        self._probabilities = np.empty(0)
        self._learned: deque[_Learned] = deque()

    def sample(self, batch_size: int, out: EpisodeBatch | None = None, room: int | None = None) -> EpisodeBatch:
        """Copy ``batch_size`` episodes by their priorities, with replacement; see :class:`EpisodeSampler`.

        Raises:
            ValueError: batch_size is not positive, no episode is published; or out does not fit.
            RingBusyError: writers held too many slots just now.
            RuntimeError: this sampler is another process's.
        """
        while len(self._learned) > 1:
            self._set_errors(self._learned.popleft())
        batch = super().sample(batch_size, out, room)
        self._places, self._probabilities = self._prioritised.drawn()
        return batch

    def importance(self, beta: float) -> Tensor:
        """Return the importance weights (B,) float32 of the last batch, the largest of which is 1.

        Args:
            beta: β: 1 corrects all of prioritisation's change of an update's expectation, 0 none of it.
        """
        rarest = self._probabilities.min()
        return torch.from_numpy((self._probabilities / rarest) ** -beta).float()

    def learn(self, errors: Tensor) -> None:
        """Take in the mean absolute errors (B,) of the last batch's episodes, without waiting for their device.

        NaN leaves an episode's priority as it is.
        """
        host = errors.detach().to("cpu", torch.float64, non_blocking=True)
        copied = None
        if errors.is_cuda:
            copied = torch.cuda.Event()
            copied.record(torch.cuda.current_stream(errors.device))
        self._learned.append(_Learned(self._places, host, copied))

    def _set_errors(self, learned: _Learned) -> None:
        if learned.copied is not None:
            learned.copied.synchronize()
        self._prioritised.set_errors(learned.places, learned.errors.numpy())
