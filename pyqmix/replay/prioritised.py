"""Prioritised sampling of whole episodes, by their mean temporal-difference errors.

Proportional prioritisation, Schaul et al., Prioritized Experience Replay, arXiv:1511.05952, section 3.3, with
episodes in the place of transitions: episode i has the priority p = mean |error| + 1e-6 and is drawn with
probability P(i) = p_i^α / Σ p^α, with replacement, one draw from each of B equal shares of the sum. Its loss is
weighted by (N P(i))^-β, N being the number of episodes, divided by the largest such weight of the batch.

Errors count from the draw after the next. By then an accelerator has computed them, so drawing does not wait for
it, and the draws are the same on every device.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyqmix import _C
from pyqmix.replay.batch import EpisodeBatch
from pyqmix.replay.device_store import DeviceStore
from pyqmix.replay.in_use import exclusive
from pyqmix.replay.ring import EpisodeRing
from pyqmix.replay.sampler import EpisodeSampler, Out, array_of, require_names


@dataclass(frozen=True)
class _Learned:
    """A batch's errors (B,), on their way to the CPU until ``copied`` has happened."""

    places: NDArray[np.int64]
    errors: Tensor
    copied: torch.cuda.Event | None

    def wait(self) -> None:
        """Wait until the errors are on the CPU."""
        if self.copied is not None:
            self.copied.synchronize()


_NO_PLACES = np.empty((0, 2), np.int64)
_LEARNED = ("learned_sizes", "learned_places", "learned_errors")


class PrioritisedSampler(EpisodeSampler):
    """Draws batches of whole episodes by their priorities.

    An episode that no error is known of has the largest priority that any has had; one that is overwritten loses
    its own. Used from one thread at a time, in the process that made it: a call from elsewhere raises a
    RuntimeError.

    Args:
        ring: where the episodes lie.
        seed: the batches depend on it, on the ring's episodes and on the errors alone.
        alpha: α: 0 draws uniformly, 1 in proportion to the errors.
        store: keeps drawn episodes on a device, where the batches then lie.
    """

    def __init__(self, ring: EpisodeRing, seed: int, alpha: float, store: DeviceStore | None = None) -> None:
        self._prioritised = _C.PrioritisedSampler(ring.native, seed, alpha)
        super().__init__(ring.native, self._prioritised, store)
        self._places = _NO_PLACES
        self._probabilities = np.empty(0)
        self._learned: deque[_Learned] = deque()

    @exclusive
    def sample(self, batch_size: int, out: Out | None = None, room: int | None = None) -> EpisodeBatch:
        """Copy ``batch_size`` episodes by their priorities, with replacement; see :class:`EpisodeSampler`.

        Raises:
            ValueError: batch_size is not positive, no episode is published; or out does not fit.
            RingBusyError: writers held too many slots just now.
            RuntimeError: this sampler is another process's, or another thread is using it.
        """
        while len(self._learned) > 1:
            self._set_errors(self._learned.popleft())
        batch = super().sample(batch_size, out, room)
        self._places, self._probabilities = self._prioritised.drawn()
        return batch

    @exclusive
    def importance(self, beta: float) -> Tensor:
        """Return the importance weights (B,) float32 of the last batch, the largest of which is 1.

        Args:
            beta: β: 1 corrects all of prioritisation's change of an update's expectation, 0 none of it.
        """
        rarest = self._probabilities.min()
        return torch.from_numpy((self._probabilities / rarest) ** -beta).float()

    @exclusive
    def learn(self, errors: Tensor) -> None:
        """Take in the mean absolute errors (B,) of the last batch's episodes, without waiting for their device.

        NaN leaves an episode's priority as it is.

        Raises:
            ValueError: errors is not of the last batch's shape.
        """
        if errors.shape != (len(self._places),):
            raise ValueError(f"errors: expected ({len(self._places)},), got {tuple(errors.shape)}")
        host = errors.detach().to("cpu", torch.float64, non_blocking=True)
        copied = None
        if errors.is_cuda:
            copied = torch.cuda.Event()
            copied.record(torch.cuda.current_stream(errors.device))
        self._learned.append(_Learned(self._places, host, copied))

    @exclusive
    def state(self) -> dict[str, NDArray[Any]]:
        """Return all that the next draws depend on, besides what the ring holds: arrays by their names.

        random: (313,) uint64, as of :class:`EpisodeSampler`; largest: (1,) float64, the largest priority so far;
        weights: (capacity,) float64, p^α of each slot's episode; generations: (capacity,) int64, which of its
        slot each episode is. For the errors that have not counted yet, waiting for their device: learned_sizes
        (k,) int64, the episodes of each batch; learned_places (N, 2) int64, their slots and generations;
        learned_errors (N,) float64.
        """
        for learned in self._learned:
            learned.wait()
        return super().state() | {
            "learned_sizes": np.array([len(learned.places) for learned in self._learned], np.int64),
            "learned_places": np.concatenate([_NO_PLACES, *(learned.places for learned in self._learned)]),
            "learned_errors": np.concatenate(
                [np.empty(0), *(learned.errors.numpy() for learned in self._learned)]
            ),
        }

    @exclusive
    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a :meth:`state`, as :meth:`EpisodeSampler.load_state` does.

        The state has no last batch: :meth:`importance` and :meth:`learn` need a draw first.
        """
        require_names(state, {"random", "largest", "weights", "generations", *_LEARNED})
        learned = self._learned_in(state)
        self._sampler.load_state({name: values for name, values in state.items() if name not in _LEARNED})
        self._learned = learned
        self._places, self._probabilities = _NO_PLACES, np.empty(0)

    def _learned_in(self, state: Mapping[str, NDArray[Any]]) -> deque[_Learned]:
        sizes = array_of(state, "learned_sizes", np.int64, ())
        places = array_of(state, "learned_places", np.int64, (2,)).copy()
        errors = array_of(state, "learned_errors", np.float64, ()).copy()
        if (sizes < 1).any() or not sizes.sum() == len(places) == len(errors):
            raise ValueError(
                f"learned_sizes, learned_places, learned_errors: expected positive sizes that add up to the "
                f"places and to the errors, got {sizes.tolist()}, {len(places)} places and {len(errors)} errors"
            )
        beyond = (places < 0) | (places >= (self._ring.capacity, 1 << 32))
        if beyond.any():
            raise ValueError(
                f"learned_places: expected slots and generations, got {places[beyond.any(1)][0].tolist()}"
            )
        ends = np.cumsum(sizes)[:-1]
        return deque(
            _Learned(its_places, torch.from_numpy(its_errors), None)
            for its_places, its_errors in zip(np.split(places, ends), np.split(errors, ends), strict=True)
            if len(sizes) > 0
        )

    def _set_errors(self, learned: _Learned) -> None:
        learned.wait()
        self._prioritised.set_errors(learned.places, learned.errors.numpy())
