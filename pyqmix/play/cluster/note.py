"""A line that a player leaves in the cluster's head when it must end, because nothing that it returns arrives."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Note:
    """One player's note.

    Args:
        name: of the player.
    """

    def __init__(self, name: str) -> None:
        self._key = f"pyqmix:{name}".encode()

    def leave(self, said: str) -> None:
        """Write it, as the player."""
        _store()._internal_kv_put(self._key, said.encode(), overwrite=True)

    def take(self) -> str | None:
        """Read and remove it, as the trainer; None where there is none."""
        found: bytes | None = _store()._internal_kv_get(self._key)
        if found is None:
            return None
        _store()._internal_kv_del(self._key)
        return found.decode()


def _store() -> Any:
    return import_module("ray.experimental.internal_kv")  # Ray has no other place that outlives a process
