"""Finished and running runs, read from their folders as data: their curves, comparisons and tables.

Nothing here imports torch, or anything that a run's options name.
"""

from pyqmix.figures.stored_run import Run, read_run

__all__ = ["Run", "read_run"]
