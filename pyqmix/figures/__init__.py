"""Finished and running runs, read from their folders as data: their curves, comparisons and tables.

Nothing here imports torch, or anything that a run's options name.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyqmix.figures.drawing import compare
    from pyqmix.figures.stored_run import Run, read_run
    from pyqmix.figures.tables import table

__all__ = ["Run", "compare", "read_run", "table"]

# Imported when first used: who only reads runs does not need matplotlib.
_HOMES = {"Run": "stored_run", "read_run": "stored_run", "compare": "drawing", "table": "tables"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
