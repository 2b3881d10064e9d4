"""Matplotlib's settings, which a process has once: they are set for one figure at a time, and set back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import RLock
from typing import Any, cast

import matplotlib

_turn = RLock()  # matplotlib's own context would let two threads keep each other's settings


@contextmanager
def settings(values: Mapping[str, Any]) -> Iterator[None]:
    """Let matplotlib have these settings in the block, where they are others; further threads wait their turn."""
    with _turn:
        present = cast(dict[str, Any], matplotlib.rcParams)
        changes: Any = {name: value for name, value in values.items() if present[name] != value}
        if not changes:
            yield
            return
        with matplotlib.rc_context(changes):
            yield
