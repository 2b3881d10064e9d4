"""Draws batches of whole episodes, uniformly."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any
from weakref import ReferenceType, ref

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pyqmix import _C
from pyqmix.base.spec import spec_of
from pyqmix.replay.batch import BatchView, EpisodeBatch
from pyqmix.replay.device_store import DeviceStore
from pyqmix.replay.in_use import InUse, exclusive
from pyqmix.replay.slot import RingBusyError

Out = EpisodeBatch | Callable[[int], EpisodeBatch]


class EpisodeSampler:
    """Draws batches of whole episodes; made by :meth:`pyqmix.EpisodeRing.sampler`.

    Used from one thread at a time, in the process that made it: a call from elsewhere raises a RuntimeError.

    Args:
        ring: where the episodes lie.
        sampler: draws and pins them.
        store: keeps drawn episodes on a device, where the batches then lie.
    """

    def __init__(self, ring: _C.EpisodeRing, sampler: _C.PinnedBatch, store: DeviceStore | None = None) -> None:
        self._in_use = InUse("this sampler")
        self._ring, self._sampler, self._store = ring, sampler, store
        self._spec = spec_of(ring.spec)
        # The last two, which callers use in turns; and their views, by batch size and steps.
        self._outs: deque[tuple[ReferenceType[EpisodeBatch], dict[tuple[int, int], BatchView]]] = deque(maxlen=2)

    @exclusive
    def sample(self, batch_size: int, out: Out | None = None, room: int | None = None) -> EpisodeBatch:
        """Copy ``batch_size`` episodes, uniform over the published ones, without replacement.

        Args:
            batch_size: B.
            out: memory of :meth:`EpisodeBatch.empty` to write into, or a function that gives it for the number of
                steps that the batch has; without it, new memory. The batch that is returned lies at its beginning
                and is overwritten when the memory is used again, so a copy of it to a GPU must be complete by
                then. The ring's slots are free again when this returns. A sampler with a store has no use for
                it: its next batch of as many episodes overwrites the last.
            room: lay every episode out with room for this number of steps, and return a view that ends with the
                longest; without it the batch is contiguous. A sampler with a store has no use for it either.

        Raises:
            ValueError: batch_size is not positive, or exceeds the published episodes; or out or room does not fit.
            RingBusyError: writers held too many slots just now.
            RuntimeError: this sampler is another process's, or another thread is using it.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size: expected a positive integer, got {batch_size!r}")
        try:
            lengths = self._sampler.pin(batch_size)
            if len(lengths) == batch_size:
                if self._store is not None:
                    return self._store.batch(self._sampler, lengths)
                return self._decode(lengths, out, room)
        finally:
            self._sampler.release()
        held = len(self._ring)
        if held < batch_size:
            raise ValueError(f"batch_size: the ring holds {held} episodes, {batch_size} were asked for")
        raise RingBusyError(f"{len(lengths)} of {batch_size} episodes could be had: writers hold the rest")

    def importance(self, beta: float) -> Tensor | None:
        """Return the factors (B,) of the last batch's episodes in the loss; None: uniform draws need none."""
        return None

    def learn(self, errors: Tensor) -> None:
        """Take in the mean absolute errors (B,) of the last batch's episodes; uniform draws ignore them."""

    @exclusive
    def state(self) -> dict[str, NDArray[Any]]:
        """Return all that the next draws depend on, besides what the ring holds: arrays by their names.

        random: (313,) uint64, the words and the position of the random engine.
        """
        return self._sampler.state()

    @exclusive
    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a :meth:`state`: with the ring as it was then, every draw is the one that followed.

        Raises:
            ValueError: an array is missing, unknown, or of another dtype or shape, or has values that no state
                has; the sampler is as it was.
        """
        require_names(state, {"random"})
        self._sampler.load_state(dict(state))

    def _decode(self, lengths: NDArray[np.int64], out: Out | None, room: int | None) -> EpisodeBatch:
        longest = max(lengths.tolist())
        steps = longest if room is None else room
        if steps < longest:
            raise ValueError(f"room: expected at least the longest episode's {longest} steps, got {room}")
        if out is None:
            view = BatchView(EpisodeBatch.empty(self._spec, len(lengths), steps))
        else:
            view = self._view(out(steps) if callable(out) else out, len(lengths), steps)
        self._sampler.decode(*view.arrays)
        view.lengths[:] = lengths
        return view.up_to(longest)

    def _view(self, out: EpisodeBatch, batch_size: int, steps: int) -> BatchView:
        """Return the beginning of ``out``, cached: checking it takes longer than filling a small batch."""
        views = next((views for known, views in self._outs if known() is out), None)
        if views is None:
            views = {}
            for entry in [each for each in self._outs if each[0]() is None]:
                self._outs.remove(entry)  # so that its memory is given back
            self._outs.append((ref(out), views))
        view = views.get((batch_size, steps))
        if view is None:
            view = views[batch_size, steps] = BatchView(out.fitted(self._spec, batch_size, steps))
        return view


def require_names(state: Mapping[str, NDArray[Any]], names: set[str]) -> None:
    """Raise a ValueError unless a sampler's state has these arrays and no others."""
    if set(state) != names:
        got = ", ".join(sorted(state)) or "none"
        raise ValueError(f"state: expected {', '.join(sorted(names))}, got {got}")


def array_of(state: Mapping[str, NDArray[Any]], name: str, dtype: type, row: tuple[int, ...]) -> NDArray[Any]:
    """Return a state's array, or raise a ValueError unless it is (N, *row) of the dtype."""
    array = state[name]
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim < 1 or array.shape[1:] != row:
        raise ValueError(
            f"{name}: expected {('N', *row)} {np.dtype(dtype)}, got {np.shape(array)} "
            f"{getattr(array, 'dtype', type(array).__name__)}"
        )
    return array
