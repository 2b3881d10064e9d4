"""The replay buffer of a run's checkpoints, in parts: each checkpoint writes only the episodes that are new.

The parts that an earlier checkpoint has written already are its files under a second name (hard links), so each
checkpoint is complete by itself, and none takes the disk's space twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyqmix.base.errors import ConfigError
from pyqmix.replay import EpisodeRing
from pyqmix.run.draft import Draft
from pyqmix.run.manifest import Manifest

MOST = 16  # parts of a checkpoint, before they are written as one again


@dataclass(frozen=True)
class _Part:
    """A file of a checkpoint: the episodes of the tickets from the end of the part before to ``end``."""

    path: Path
    end: int
    entry: Mapping[str, Any]


class RingParts:
    """Writes the ring of a run, again and again.

    Args:
        ring: the run's.
    """

    def __init__(self, ring: EpisodeRing) -> None:
        self._ring = ring
        self._parts: list[_Part] = []

    def write(self, draft: Draft, tickets: int) -> dict[str, Any]:
        """Write the episodes of all tickets below ``tickets``; return what progress.json must tell of them."""
        oldest = tickets - self._ring.capacity
        kept = [part for part in self._parts if part.end > oldest]
        shared = {_name(k): (part.path, part.entry) for k, part in enumerate(kept)}
        if len(kept) >= MOST or not draft.reuse(shared):
            kept = []
        done = kept[-1].end if kept else 0
        parts = [_Part(draft.folder / _name(k), part.end, part.entry) for k, part in enumerate(kept)]
        if tickets > done or not kept:
            name = _name(len(kept))
            draft.ring(name, self._ring, done, tickets)
            parts.append(_Part(draft.folder / name, tickets, draft.files[name]))
        self._parts = parts
        return {"tickets": tickets, "ends": [part.end for part in parts]}

    @staticmethod
    def read(found: Manifest, ring: EpisodeRing) -> int:
        """Restore a ring from a checkpoint; return its tickets.

        Raises:
            ConfigError: a file is damaged, or of another ring.
        """
        ends, tickets = found.value("replay", "ends"), found.integer("replay", "tickets")
        if not isinstance(ends, list) or not ends or not all(type(end) is int and end >= 0 for end in ends):
            raise ConfigError(f"{found.folder}: expected the parts of the replay buffer, got {ends!r}")
        found.ring([_name(k) for k in range(len(ends))], ring)
        if ring.tickets != tickets:
            raise ConfigError(f"{found.folder}: expected a replay buffer of {tickets} tickets, got {ring.tickets}")
        return ring.tickets

    def resume(self, found: Manifest) -> None:
        """Go on from a checkpoint, whose parts the next one shares."""
        ends = found.value("replay", "ends")
        self._parts = [
            _Part(found.folder / _name(k), end, found.value("files", _name(k))) for k, end in enumerate(ends)
        ]


def _name(number: int) -> str:
    return f"replay_{number}.ring"
