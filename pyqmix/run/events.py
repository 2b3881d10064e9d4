"""The lines of metrics.csv as TensorBoard events."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.summary.writer.record_writer import RecordWriter

from pyqmix.base.files import MODE, append, flush, naming
from pyqmix.run.metrics import COLUMNS, Metrics

NAME = "events.out.tfevents.pyqmix"
ANY = "events.out.tfevents.*"  # also those of other programs


class EventFile:
    """Appends events to the one file that a run has for TensorBoard; nothing waits in memory.

    Args:
        run_dir: the run's folder.
        options: of the run, which the tab HPARAMS compares with other runs'.
        history: the lines of a resumed run.
        state: of the file when these had been written, as :meth:`state` gives it: what lies behind is cut off. If
            the file is another one, it is written again from the lines, with the time of now.

    Raises:
        OSError: of every method: the file cannot be written; ``filename`` is the file's.
    """

    def __init__(
        self, run_dir: Path, options: Mapping[str, Any], history: Sequence[Metrics] = (), state: Any = None
    ) -> None:
        self.path = run_dir / NAME
        with naming(self.path):
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            self._file = os.fdopen(os.open(self.path, flags, MODE), "r+b", buffering=0)
            self._size, self._checksum = self._begin(state)
            self._file.truncate(self._size)
            self._file.seek(0, os.SEEK_END)
        if self._size == 0:
            now = time.time()
            compared = Event(wall_time=now, summary=_hparams(options))
            self._append([Event(wall_time=now, file_version="brain.Event:2"), compared])
            for metrics in history:
                self.write(metrics)

    def state(self) -> dict[str, Any]:
        """Return the file's size in bytes, and its SHA-256."""
        return {"bytes": self._size, "checksum": self._checksum.hexdigest()}

    def write(self, metrics: Metrics) -> None:
        """Append the values of a line."""
        values = {name: getattr(metrics, name) for name in COLUMNS if name != "steps"}
        now = time.time()
        self._append(
            [
                Event(wall_time=now, step=metrics.steps, summary=_summary(name, value))
                for name, value in values.items()
                if value is not None
            ]
        )

    def flush(self) -> None:
        """Wait until the file is on the disk."""
        flush(self.path)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _begin(self, state: Any) -> tuple[int, Any]:
        """Return size and hash of the part of the file that is as the state says; 0 if it is not."""
        size = state.get("bytes") if isinstance(state, dict) else None
        status = os.fstat(self._file.fileno())
        if isinstance(size, int) and 0 < size <= status.st_size and stat.S_ISREG(status.st_mode):
            found = hashlib.sha256(self._file.read(size))
            if found.hexdigest() == state.get("checksum"):
                return size, found
        return 0, hashlib.sha256()

    def _append(self, events: Sequence[Event]) -> None:
        records = io.BytesIO()
        writer = RecordWriter(records)
        for event in events:
            writer.write(event.SerializeToString())
        data = records.getvalue()
        append(self._file.fileno(), data, self.path)
        self._size += len(data)
        self._checksum.update(data)


def _summary(name: str, value: float) -> Summary:
    return Summary(value=[Summary.Value(tag=name, simple_value=value)])


def _hparams(options: Mapping[str, Any]) -> Any:
    """Return the options as the plugin's protocol buffer, which has numbers, flags and text."""
    values = {name: value for name, value in options.items() if value is not None and name != "run_dir"}
    return hparams_pb({name: v if isinstance(v, (int, float)) else _text(v) for name, v in values.items()})


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
