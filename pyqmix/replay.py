"""The replay buffer of whole episodes.

Threading contract: any number of writers (8,192 at a time) and up to 16 samplers may use one ring at once,
from different threads and, if it is shared, from different processes; one writer or sampler is used from one
thread at a time, in the process that made it. A writer has one open episode, a sampler one batch that it is
copying. Nobody waits for anybody: publish, abort and the release of a batch are wait-free; a claim or a
sample makes a bounded number of attempts, and raises RingBusyError if too much is in use. Only published
episodes are ever sampled, and none is overwritten while it is copied. A process may be killed at any moment:
the slot that it was writing and the batch that it was copying are given back when somebody needs them. Keep
``capacity > writers + samplers * batch_size``, or the ring will be busy.

A shared ring reaches another process as an argument of ``multiprocessing.Process`` under every start method,
through a ``multiprocessing`` queue or pipe, or as a descriptor (:meth:`EpisodeRing.fileno`,
:meth:`EpisodeRing.attach`). Processes must be of one user; the ring trusts them. What a ring holds is lost
with the last process that has it, unless it is saved.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyqmix import _C
from pyqmix.batch import BatchView, EpisodeBatch
from pyqmix.device_store import DeviceStore
from pyqmix.episode_slot import EpisodeSlot
from pyqmix.files import replacing
from pyqmix.ring_size import describe_memory, native_spec, require_free_memory, ring_bytes, spec_of
from pyqmix.spec import EpisodeSpec

__all__ = [
    "EpisodeBatch",
    "EpisodeRing",
    "EpisodeSampler",
    "EpisodeSlot",
    "EpisodeWriter",
    "RingBusyError",
    "RingFileError",
    "describe_memory",
    "ring_bytes",
]

RingFileError = _C.RingFileError


class RingBusyError(RuntimeError):
    """No slot, or not enough episodes, could be had just now because others are using them."""


class EpisodeRing:
    """A ring of ``capacity`` slots, each of one whole episode; a full ring overwrites the oldest.

    Args:
        spec: what the episodes look like.
        capacity: slots. Open episodes and the batches being copied occupy slots too.
        shared: whether other processes can use it; threads always can.

    Raises:
        ValueError: capacity is not a positive integer.
        OverflowError: the sizes exceed what can be counted.
        MemoryError: the slots do not fit in the memory that is free; the arithmetic is in the message.
    """

    def __init__(self, spec: EpisodeSpec, capacity: int, shared: bool = False) -> None:
        if isinstance(capacity, bool) or not isinstance(capacity, int) or capacity < 1:
            raise ValueError(f"capacity: expected a positive integer, got {capacity!r}")
        require_free_memory(spec, capacity)
        self._hold(_C.EpisodeRing(native_spec(spec), capacity, shared))

    @classmethod
    def attach(cls, fd: int) -> EpisodeRing:
        """Use the shared ring behind a descriptor, which stays the caller's.

        Raises:
            ValueError: it is no ring's descriptor.
            OSError: the memory cannot be mapped.
        """
        return cls._of(_C.EpisodeRing.attach(fd))

    @classmethod
    def load(cls, path: str | os.PathLike[str], shared: bool = False) -> EpisodeRing:
        """Read a ring that :meth:`save` wrote: its capacity, and its episodes in their order.

        Length and checksums are verified before anything is allocated.

        Raises:
            RingFileError: the file is no saved ring, or is damaged.
            OSError: it cannot be read.
            MemoryError: the ring does not fit in the memory that is free.
        """
        name = os.fspath(path)
        try:
            info = _C.verify_ring_file(name)
            ring = cls(spec_of(info.spec), info.capacity, shared)
            _C.load_ring(ring.native, name, info)
        except RingFileError as error:
            raise RingFileError(f"{name}: {error}") from None
        return ring

    def save(self, path: str | os.PathLike[str]) -> int:
        """Write the published episodes to a file, whole or not at all; return their number.

        Others may use the ring meanwhile; the file then holds what each slot held when it was reached.

        Raises:
            OSError: the file cannot be written.
            RuntimeError: the ring has 16 samplers already.
        """
        with replacing(Path(path)) as temporary:
            return _C.save_ring(self.native, str(temporary))

    def fileno(self) -> int:
        """Return the descriptor by which another process attaches; it stays the ring's.

        Raises:
            ValueError: the ring is not shared.
        """
        if not self.shared:
            raise ValueError("this ring belongs to one process: make it with shared=True to pass it to others")
        return self.native.fd

    @property
    def shared(self) -> bool:
        """Whether other processes can use it."""
        return self.native.fd >= 0

    @property
    def nbytes(self) -> int:
        """All the memory that it takes."""
        return self.native.nbytes

    def __len__(self) -> int:
        """Count the episodes that can be sampled; one that a writer is about to overwrite cannot."""
        return len(self.native)

    def stats(self) -> dict[str, int]:
        """Count since the start, over all processes.

        published, overwritten and aborted episodes; revoked ones, whose writers died; busy claims. A process
        that is killed may leave its last event uncounted.
        """
        return self.native.stats()

    def writer(self) -> EpisodeWriter:
        """Register a writer."""
        return EpisodeWriter(self)

    def sampler(self, seed: int, store: DeviceStore | None = None) -> EpisodeSampler:
        """Register a sampler; the batches depend on the seed and on what the ring holds, nothing else.

        Args:
            seed: of the draws.
            store: keeps what was drawn on a device, where the batches then lie.
        """
        return EpisodeSampler(self, seed, store)

    def reserve(self, count: int) -> int:
        """Take the next ``count`` tickets, and return the first: :meth:`EpisodeWriter.open` redeems one.

        Tickets are slots in their order, so episodes lie where their tickets say, whoever writes them first.
        """
        return self.native.reserve(count)

    def __reduce__(self) -> tuple[Callable[[Any], EpisodeRing], tuple[Any]]:
        return _attach_passed, (DupFd(self.fileno()),)

    @classmethod
    def _of(cls, native: _C.EpisodeRing) -> EpisodeRing:
        ring = cls.__new__(cls)
        ring._hold(native)
        return ring

    def _hold(self, native: _C.EpisodeRing) -> None:
        self.native, self.spec, self.capacity = native, spec_of(native.spec), native.capacity


def _attach_passed(passed: Any) -> EpisodeRing:
    descriptor = passed.detach()
    try:
        return EpisodeRing.attach(descriptor)
    finally:
        os.close(descriptor)


class EpisodeWriter:
    """Writes one episode at a time straight into a slot of the ring; made by :meth:`EpisodeRing.writer`.

    Used from one thread at a time, in the process that made it.
    """

    def __init__(self, ring: EpisodeRing) -> None:
        self._spec = ring.spec
        self._writer = _C.EpisodeWriter(ring.native)

    @contextmanager
    def episode(self) -> Iterator[EpisodeSlot]:
        """Open an episode; leaving normally publishes it, an exception aborts it.

        Raises:
            RingBusyError: no slot is free.
            ValueError: on leaving, the episode has no step.
            RuntimeError: this writer has an open episode already.
        """
        slot = self.open()
        try:
            yield slot
        except BaseException:
            slot.abort()
            raise
        slot.publish()

    def open(self, ticket: int | None = None) -> EpisodeSlot:
        """Open an episode that the caller publishes or aborts; where one function sees it end, use episode().

        Args:
            ticket: where to begin, of :meth:`EpisodeRing.reserve`; the next one without it.

        Raises:
            RingBusyError: no slot is free.
            RuntimeError: this writer has an open episode already, or is another process's.
        """
        if not self._writer.open(ticket):
            raise RingBusyError("no slot of the ring is free: raise its capacity")
        return EpisodeSlot(self._spec, self._writer)


class EpisodeSampler:
    """Draws batches of whole episodes; made by :meth:`EpisodeRing.sampler`.

    Used from one thread at a time, in the process that made it.
    """

    def __init__(self, ring: EpisodeRing, seed: int, store: DeviceStore | None = None) -> None:
        self._hold(ring, _C.EpisodeSampler(ring.native, seed), store)

    def _hold(self, ring: EpisodeRing, sampler: _C.PinnedBatch, store: DeviceStore | None) -> None:
        self._ring, self._sampler, self._store = ring, sampler, store
        # The last two, which callers use in turns; and their views, by batch size and steps.
        self._outs: deque[tuple[EpisodeBatch, dict[tuple[int, int], BatchView]]] = deque(maxlen=2)

    def sample(self, batch_size: int, out: EpisodeBatch | None = None, room: int | None = None) -> EpisodeBatch:
        """Copy ``batch_size`` episodes, uniform over the published ones, without replacement.

        Args:
            batch_size: B.
            out: memory of :meth:`EpisodeBatch.empty` to write into; without it, new memory. The batch that is
                returned lies at its beginning and is overwritten when ``out`` is used again, so a copy of it to
                a GPU must be complete by then. The ring's slots are free again when this returns. A sampler with
                a store has no use for it: its next batch of as many episodes overwrites the last.
            room: lay every episode out with room for so many steps, and return a view of as many as the longest
                has; without it the batch is contiguous. A sampler with a store has no use for it either.

        Raises:
            ValueError: batch_size is not positive, or exceeds the published episodes; or out or room does not fit.
            RingBusyError: writers held too many slots just now.
            RuntimeError: this sampler is another process's.
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

    def _decode(self, lengths: NDArray[np.int64], out: EpisodeBatch | None, room: int | None) -> EpisodeBatch:
        longest = max(lengths.tolist())
        steps = longest if room is None else room
        if steps < longest:
            raise ValueError(f"room: expected at least the longest episode's {longest} steps, got {room}")
        if out is None:
            view = BatchView(EpisodeBatch.empty(self._ring.spec, len(lengths), steps))
        else:
            view = self._view(out, len(lengths), steps)
        self._sampler.decode(*view.arrays)
        view.lengths[:] = lengths
        return view.batch if longest == steps else view.batch.up_to(longest)

    def _view(self, out: EpisodeBatch, batch_size: int, steps: int) -> BatchView:
        """Return the beginning of ``out``: checking it anew takes longer than filling a small batch."""
        views = next((views for known, views in self._outs if known is out), None)
        if views is None:
            views = {}
            self._outs.append((out, views))
        view = views.get((batch_size, steps))
        if view is None:
            view = views[batch_size, steps] = BatchView(out.fitted(self._ring.spec, batch_size, steps))
        return view
