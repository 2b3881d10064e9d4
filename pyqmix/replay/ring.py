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
from collections.abc import Callable
from functools import cached_property
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

from pyqmix import _C
from pyqmix.base.files import replacing
from pyqmix.base.spec import EpisodeSpec, native_spec, spec_of
from pyqmix.replay.device_store import DeviceStore
from pyqmix.replay.memory import require_free_memory
from pyqmix.replay.sampler import EpisodeSampler
from pyqmix.replay.slot import EpisodeWriter

RingFileError = _C.RingFileError


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
        self.native = _C.EpisodeRing(native_spec(spec), capacity, shared)

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

    @cached_property
    def spec(self) -> EpisodeSpec:
        """What its episodes look like."""
        return spec_of(self.native.spec)

    @property
    def capacity(self) -> int:
        """How many slots it has."""
        return self.native.capacity

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
        return EpisodeWriter(self.native)

    def sampler(self, seed: int, store: DeviceStore | None = None) -> EpisodeSampler:
        """Register a sampler; the batches depend on the seed and on what the ring holds, nothing else.

        Args:
            seed: of the draws.
            store: keeps what was drawn on a device, where the batches then lie.
        """
        return EpisodeSampler(self.native, _C.EpisodeSampler(self.native, seed), store)

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
        ring.native = native
        return ring


def _attach_passed(passed: Any) -> EpisodeRing:
    descriptor = passed.detach()
    try:
        return EpisodeRing.attach(descriptor)
    finally:
        os.close(descriptor)
