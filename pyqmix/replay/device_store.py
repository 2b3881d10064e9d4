"""Decoded episodes on the training device, so that a batch need not be copied there."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyqmix import _C
from pyqmix.base.free_memory import MiB
from pyqmix.base.spec import EpisodeSpec
from pyqmix.replay.batch import BatchView, EpisodeBatch, own_fields


class DeviceStore:
    """Keeps a ring's episodes, as batches have them, on a device; each is copied there when it is first drawn.

    The ring decides which are drawn, so the batches are those that would come from the ring itself.

    Args:
        spec: the episodes' sizes.
        capacity: the ring's.
        device: where they are kept.

    Raises:
        MemoryError: they do not fit in the GPU's free memory; the arithmetic is in the message.
    """

    def __init__(self, spec: EpisodeSpec, capacity: int, device: torch.device) -> None:
        _require_free_memory(spec, capacity, device)
        self._spec, self._device = spec, device
        self._episodes = EpisodeBatch.empty(spec, capacity, device=device)
        self._generations = np.zeros(capacity, np.int64)  # which episode of its slot each is; 0: none
        self._gathered: dict[int, EpisodeBatch] = {}  # by batch size
        self.fetched = 0

    def batch(self, pinned: _C.PinnedBatch, lengths: NDArray[np.int64]) -> EpisodeBatch:
        """Gather a batch that is pinned in the ring, after fetching the episodes that were not drawn before.

        The next one of as many episodes overwrites it.
        """
        slots, generations = pinned.places().T
        missing = np.flatnonzero(self._generations[slots] != generations)
        if len(missing) > 0:
            _, first = np.unique(slots[missing], return_index=True)  # one may have been drawn twice
            self._fetch(pinned, missing[first], slots, lengths)
            self._generations[slots] = generations
        return self._gather(slots, lengths)

    def _gather(self, slots: NDArray[np.int64], lengths: NDArray[np.int64]) -> EpisodeBatch:
        if len(slots) not in self._gathered:
            self._gathered[len(slots)] = EpisodeBatch.empty(self._spec, len(slots), device=self._device)
        batch = self._gathered[len(slots)]
        at, of_lengths = self._sent(np.stack([slots, lengths]))
        for name, values in self._episodes.own_tensors(self._spec).items():
            if name != "lengths":  # which the ring tells
                torch.index_select(values, 0, at, out=getattr(batch, name))
        batch.lengths.copy_(of_lengths)
        return batch.up_to(int(lengths.max()))

    def _sent(self, values: NDArray[np.int64]) -> Tensor:
        """Copy values to the device without waiting for its work."""
        on_host = torch.from_numpy(values.copy())
        if self._device.type == "cuda":
            on_host = on_host.pin_memory()
        return on_host.to(self._device, non_blocking=True)

    def _fetch(
        self,
        pinned: _C.PinnedBatch,
        rows: NDArray[np.int64],
        slots: NDArray[np.int64],
        lengths: NDArray[np.int64],
    ) -> None:
        steps = int(lengths[rows].max())
        page_locked = self._device.type == "cuda"
        host = BatchView(EpisodeBatch.empty(self._spec, len(rows), steps, page_locked))
        pinned.decode(*host.arrays, rows=rows)
        host.lengths[:] = lengths[rows]
        at = self._sent(slots[rows])
        for name, values in self._episodes.up_to(steps).own_tensors(self._spec).items():
            values.index_copy_(0, at, getattr(host.batch, name).to(self._device, non_blocking=True))
        self.fetched += len(rows)


def _require_free_memory(spec: EpisodeSpec, capacity: int, device: torch.device) -> None:
    if device.type != "cuda":
        return
    needed, free = store_bytes(spec, capacity), torch.cuda.mem_get_info(device)[0]
    if needed > free:
        raise MemoryError(
            f"replay_device: {capacity:,} episodes x {needed // capacity:,} bytes = {needed / MiB:,.1f} MiB, but "
            f"{free / MiB:,.1f} MiB of the GPU's memory are free"
        )


def store_bytes(spec: EpisodeSpec, capacity: int) -> int:
    """Return the bytes that ``capacity`` decoded episodes take."""
    parts = ((f.shape(spec, capacity, spec.episode_limit), f.dtype or torch.float32) for f in own_fields(spec))
    return sum(torch.Size(shape).numel() * dtype.itemsize for shape, dtype in parts)
