"""The replay buffer of whole episodes.

Threading contract: any number of writers (8,192 at a time) and up to 16 samplers may use one ring at once,
from different threads and, if it is shared, from different processes; one writer or sampler is used from one
thread at a time, in the process that made it, and refuses others. A writer has one open episode, a sampler one
batch that it is copying. No caller waits for another: publish, abort and the release of a batch are wait-free; a
claim or a sample makes a bounded number of attempts, and raises RingBusyError if too much is in use. Only
published episodes are ever sampled, and none is overwritten while it is copied. A process may be killed at any
moment: the slot that it was writing and the batch that it was copying are given back when somebody needs them.
Keep ``capacity > writers + samplers * batch_size``, or the ring will be busy.

A shared ring reaches another process as an argument of ``multiprocessing.Process`` under every start method,
through a ``multiprocessing`` queue or pipe, or as a descriptor (:meth:`EpisodeRing.fileno`,
:meth:`EpisodeRing.attach`). Processes must be of one user; the ring trusts them. What a ring holds is lost
with the last process that has it, unless it is saved. A forked child has a copy of a ring that is not shared:
it must make writers and samplers of its own, which use the copy.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cached_property
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any, NamedTuple

from pyqmix import _C
from pyqmix.base.files import replacing
from pyqmix.base.spec import EpisodeSpec, native_spec, spec_of
from pyqmix.replay.device_store import DeviceStore
from pyqmix.replay.memory import require_free_memory
from pyqmix.replay.sampler import EpisodeSampler
from pyqmix.replay.slot import EpisodeWriter

RingFileError = _C.RingFileError


class RingFile(NamedTuple):
    """A file of :meth:`EpisodeRing.dump`.

    Attributes:
        episodes: how many it holds.
        nbytes: its size.
        checksum: of 64 bits; it depends on all of the content.
    """

    episodes: int
    nbytes: int
    checksum: int

    @classmethod
    def of(cls, info: _C.RingFileInfo) -> RingFile:
        """Take the figures of what the extension wrote or verified."""
        return cls(info.episodes, info.nbytes, info.checksum)


class EpisodeRing:
    """A ring of ``capacity`` slots, each of one whole episode; a full ring overwrites the oldest.

    Args:
        spec: what the episodes look like.
        capacity: slots. Open episodes and the batches being copied occupy slots too.
        shared: whether other processes can use it; threads always can.

    Raises:
        ValueError: capacity is not a positive integer.
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
        """Read a ring that :meth:`save` wrote whole: every slot as it was, and the tickets given so far.

        Length and checksums are verified before anything is allocated.

        Raises:
            RingFileError: the file is no saved ring, is damaged, or holds only some of the slots.
            OSError: it cannot be read.
            MemoryError: the ring does not fit in the memory that is free.
        """
        info = _C.verify_ring_file(os.fspath(path))
        _C.require_whole_ring([info])
        ring = cls(spec_of(info.spec), info.capacity, shared)
        _C.restore_ring(ring.native, [info])
        return ring

    @staticmethod
    def verify(path: str | os.PathLike[str]) -> RingFile:
        """Read a whole file of :meth:`save` or :meth:`dump`, verify it, and return its figures.

        Raises:
            RingFileError: the file is no saved ring, or is damaged.
            OSError: it cannot be read.
        """
        return RingFile.of(_C.verify_ring_file(os.fspath(path)))

    def save(self, path: str | os.PathLike[str], since: int = 0, until: int | None = None) -> int:
        """Write published episodes to a file, whole or not at all, and return their number.

        The file covers the slots of the tickets since, ..., until - 1, of the last ``capacity`` at most. A slot
        that a ticket of ``until`` or later points to is left out, whether its episode is there or not: so
        ``until`` may be the tickets before something that failed.

        Others may use the ring meanwhile; the file then holds what each slot held when it was reached. A slot
        that is being copied is pinned, and a writer whose ticket points there passes over it: where each
        episode must lie in a certain slot, nobody writes near the range meanwhile.

        Args:
            path: the file.
            since: the first ticket; that of the last file's ``until``, for the episodes since then.
            until: the ticket behind the last; those given so far without it.

        Raises:
            OSError: the file cannot be written; ``filename`` is its name.
            RuntimeError: the ring has 16 samplers already.
            ValueError: since or until is no ticket given so far, or they are in the wrong order.
        """
        with replacing(Path(path)) as temporary:
            return self.dump(temporary, since, until).episodes

    def dump(self, path: str | os.PathLike[str], since: int = 0, until: int | None = None) -> RingFile:
        """Write straight to a path, and return what the file has; otherwise like :meth:`save`.

        An interruption leaves a part of the file, which no function loads; nothing is synchronised to the disk.
        """
        until = self.tickets if until is None else until
        for name, ticket in (("since", since), ("until", until)):
            if isinstance(ticket, bool) or not isinstance(ticket, int) or not 0 <= ticket <= self.tickets:
                raise ValueError(f"{name}: expected a ticket from 0 to {self.tickets}, got {ticket!r}")
        return RingFile.of(_C.write_ring_file(self.native, os.fspath(path), since, until))

    def restore(self, paths: Sequence[str | os.PathLike[str]]) -> list[RingFile]:
        """Make this fresh ring what files of :meth:`save` or :meth:`dump` hold, which cover it together.

        Afterwards each slot, with its generation, is as it was, and so are the tickets given: every later draw
        is that of the ring that was saved. All files are verified before the first is used. Nobody else may use
        the ring meanwhile.

        Args:
            paths: oldest first; the tickets of each follow those before it, or overlap them.

        Returns:
            The figures of each file.

        Raises:
            RingFileError: a file is no saved ring, is damaged, is of other sizes, or leaves tickets out. The
                ring is empty then, as it was.
            OSError: a file cannot be read; likewise.
            RuntimeError: tickets of this ring were given already.
        """
        if self.tickets > 0:
            raise RuntimeError(f"restore: expected a fresh ring, got one with {self.tickets} tickets")
        infos = [_C.verify_ring_file(os.fspath(path)) for path in paths]
        _C.restore_ring(self.native, infos)
        return [RingFile.of(info) for info in infos]

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
    def tickets(self) -> int:
        """How many tickets have been given so far; the next one."""
        return self.native.tickets

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

        Raises:
            ValueError: count is not an integer from 1 to the capacity.
        """
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= self.capacity:
            raise ValueError(f"count: expected an integer from 1 to the capacity {self.capacity}, got {count!r}")
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
