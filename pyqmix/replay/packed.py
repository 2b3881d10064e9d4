"""Episodes as bytes, on their way from one ring to another one elsewhere.

Threading contract: one thread at a time uses a :class:`Receiver`, which is a writer of its ring.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyqmix import _C
from pyqmix.replay.ring import EpisodeRing
from pyqmix.replay.slot import RingBusyError


def pack(ring: EpisodeRing, ticket: int, first: int, count: int) -> NDArray[np.uint8]:
    """Pack published episodes into contiguous bytes, each as a slot of its own length, with a checksum.

    Args:
        ring: has the episodes.
        ticket: of the first one; those of the others follow.
        first: the first one's index in the run, which the bytes tell.
        count: how many.

    Returns:
        (bytes,) uint8.

    Raises:
        RuntimeError: a ticket's slot holds no published episode.
    """
    return _C.pack_slots(ring.native, ticket, first, count)


class Receiver:
    """Publishes packed episodes in a ring: each exactly once, and where its ticket says.

    Args:
        ring: where the episodes go.
    """

    def __init__(self, ring: EpisodeRing) -> None:
        self._ring, self._native = ring, _C.EpisodeReceiver(ring.native)

    def expect(self, first: int, count: int) -> None:
        """Reserve the slots of the episodes first, ..., first + count - 1, and expect these alone from now on.

        Raises:
            ValueError: count is not an integer from 1 to the ring's capacity.
        """
        self._native.expect(first, count, self._ring.reserve(count))

    def receive(self, packed: NDArray[np.uint8]) -> None:
        """Publish packed episodes, in any order; all are verified before the first is published.

        Args:
            packed: (bytes,) uint8 of :func:`pack`; read in place, and not kept.

        Raises:
            ValueError: they are damaged, of other sizes than the ring's, not expected, or have come before.
            RingBusyError: no slot of the ring was free.
        """
        if not self._native.receive(packed):
            raise RingBusyError("no slot of the ring is free: raise its capacity")

    def missing(self) -> list[int]:
        """Return the expected episodes that have not come."""
        return self._native.missing()
