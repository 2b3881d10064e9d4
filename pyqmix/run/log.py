"""Writes the numbers of a run over time: to metrics.csv and to TensorBoard's events."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pyqmix.base.files import append, flush, write_text
from pyqmix.run import metrics
from pyqmix.run.events import EventFile
from pyqmix.run.metrics import Metrics


class UnwrittenLog:
    """Keeps in mind what a learner that writes no metrics must know of them.

    Args:
        history: the lines that a resumed run has already.

    Attributes:
        lines: how many there are.
        last: the last of them.
        evaluated: the last one with an evaluation.
        best: the best mean return of an evaluation.
    """

    def __init__(self, history: Sequence[Metrics] = ()) -> None:
        self.lines, self.best = 0, -math.inf
        self.last: Metrics | None = None
        self.evaluated: Metrics | None = None
        for numbers in history:
            self._count(numbers)

    @property
    def wall_seconds(self) -> float:
        """Of the last line, 0 without one."""
        return 0.0 if self.last is None else self.last.wall_seconds

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint tells of them."""
        return {"lines": self.lines}

    def write(self, numbers: Metrics) -> None:
        """Take note of one line."""
        self._count(numbers)

    def history(self) -> list[Metrics]:
        """Return no lines, as none are written."""
        return []

    def flush(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def _count(self, numbers: Metrics) -> None:
        self.lines, self.last = self.lines + 1, numbers
        if numbers.eval_return_mean is not None:
            self.evaluated, self.best = numbers, max(self.best, numbers.eval_return_mean)


class MetricsLog(UnwrittenLog):
    """Appends lines to metrics.csv and the same values to TensorBoard's events; keeps none of them in memory.

    Args:
        run_dir: the run's folder.
        options: of the run, which TensorBoard compares.
        history: the lines that a resumed run has already; others in the folder are dropped.
        events: the state of the events of these lines, as a checkpoint has it.

    Raises:
        OSError: of every method: a file cannot be written; ``filename`` is the file's.
    """

    def __init__(
        self, run_dir: Path, options: Mapping[str, Any], history: Sequence[Metrics] = (), events: Any = None
    ) -> None:
        super().__init__(history)
        self.path = run_dir / "metrics.csv"
        text = metrics.first_line() + "".join(map(metrics.line, history))
        self._checksum = hashlib.sha256(text.encode())
        write_text(self.path, text)
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._events = EventFile(run_dir, options, history, events)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint tells of both files: lines, their SHA-256, and the state of the events."""
        return {"lines": self.lines, "checksum": self._checksum.hexdigest(), "events": self._events.state()}

    def write(self, numbers: Metrics) -> None:
        """Append one line."""
        line = metrics.line(numbers).encode()
        append(self._descriptor, line, self.path)
        self._events.write(numbers)
        self._checksum.update(line)  # only now: a line counts when it is in both files
        self._count(numbers)

    def history(self) -> list[Metrics]:
        """Read all lines again, also where the file has been removed or moved since."""
        text = b""
        while block := os.pread(self._descriptor, 1 << 20, len(text)):
            text += block
        return metrics.parsed(self.path, text.decode().splitlines(keepends=True))

    def flush(self) -> None:
        """Wait until both files are on the disk."""
        flush(self.path)
        self._events.flush()

    def close(self) -> None:
        """Close both files."""
        os.close(self._descriptor)
        self._events.close()
