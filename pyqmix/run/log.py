"""Writes the numbers of a run over time: to metrics.csv and to TensorBoard's events."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pyqmix.base.files import flush, naming, write_text
from pyqmix.run import metrics
from pyqmix.run.events import EventFile
from pyqmix.run.metrics import Metrics


class MetricsLog:
    """Appends lines to metrics.csv and the same values to TensorBoard's events.

    Args:
        run_dir: the run's folder.
        history: the lines that a resumed run has already; others in the folder are dropped.
        events: bytes of the events of these lines.

    Raises:
        OSError: of every method: a file cannot be written; ``filename`` is the file's.
    """

    def __init__(self, run_dir: Path, history: Sequence[Metrics] = (), events: int = 0) -> None:
        self.path, self.history = run_dir / "metrics.csv", list(history)
        text = metrics.first_line() + "".join(map(metrics.line, self.history))
        self._checksum = hashlib.sha256(text.encode())
        write_text(self.path, text)
        self._file = os.fdopen(os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC), "w")
        self._events = EventFile(run_dir, self.history, events)

    def state(self) -> dict[str, int | str]:
        """Return what a checkpoint tells of both files: lines, their SHA-256, and the bytes of the events."""
        checksum = self._checksum.hexdigest()
        return {"lines": len(self.history), "checksum": checksum, "events": self._events.size}

    @property
    def wall_seconds(self) -> float:
        """Of the last line, 0 without one."""
        return self.history[-1].wall_seconds if self.history else 0.0

    def write(self, numbers: Metrics) -> None:
        """Append one line."""
        line = metrics.line(numbers)
        with naming(self.path):
            self._file.write(line)
            self._file.flush()
        self.history.append(numbers)
        self._checksum.update(line.encode())
        self._events.write(numbers)

    def flush(self) -> None:
        """Wait until both files are on the disk."""
        flush(self.path)
        self._events.flush()

    def close(self) -> None:
        """Close both files."""
        with suppress(OSError):  # of what a full disk did not take, which has been told
            self._file.close()
        self._events.close()
