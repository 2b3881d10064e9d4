"""Writes the checkpoints of a run, and keeps the newest ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from pyqmix.base.call_thread import CallThread
from pyqmix.base.errors import ConfigError
from pyqmix.base.files import flush
from pyqmix.base.free_memory import MiB
from pyqmix.run import checkpoint
from pyqmix.run.draft import Draft


class Saver:
    """Writes checkpoints while training stands still; a thread waits for the disk while training goes on.

    One thread at a time may use it.

    Args:
        run_dir: the run's folder.
        keep: how many checkpoints remain; older ones are removed when a new one is complete.
        first: flushes other files that a checkpoint relies on; called on the thread, before the checkpoint's own.

    Attributes:
        count: checkpoints written so far.
        bytes: of the last one of the run's state, without the parts that it shares with earlier ones.
        seconds: that training stood still for them.
    """

    def __init__(self, run_dir: Path, keep: int, first: Callable[[], None] = lambda: None) -> None:
        self._folder, self._run_dir, self._keep, self._first = run_dir / checkpoint.FOLDER, run_dir, keep, first
        self._folder.mkdir(exist_ok=True)
        flush(run_dir)
        checkpoint.folders(run_dir)  # refuses a symbolic link
        checkpoint.remove_fragments(run_dir)
        self._thread: CallThread[None] = CallThread("pyqmix checkpoints")
        self.count, self.bytes, self.seconds = 0, 0, 0.0

    @contextmanager
    def writing(self, kind: str, steps: int) -> Iterator[Draft]:
        """Give a draft of the checkpoint of a step, which is complete some time after the block.

        Args:
            kind: ``step`` or ``best``.
            steps: environment steps so far.

        Raises:
            OSError: this or an earlier checkpoint cannot be written; ``filename`` is the file's.
        """
        began = time.monotonic()
        self.wait()
        draft = Draft(self._folder / f"{kind}_{steps}")
        try:
            yield draft
        except BaseException:
            draft.drop()
            raise
        self._thread.start(partial(self._commit, draft, kind))
        self.count += 1
        if kind == "step":
            self.bytes = draft.written
        self.seconds += time.monotonic() - began

    def describe(self, wall_seconds: float) -> str:
        """Say what the checkpoints have cost a run that took ``wall_seconds``."""
        return (
            f"{self.count}, the last of {self.bytes / MiB:,.1f} MiB; training waited {self.seconds:.2f} s "
            f"({100 * self.seconds / max(wall_seconds, 1e-9):.1f} %)"
        )

    def wait(self) -> None:
        """Wait until every checkpoint is complete.

        Raises:
            OSError: one cannot be written.
        """
        while self._thread.waiting:
            self._thread.result()

    def close(self) -> None:
        """Wait for the checkpoints, whether or not they can be written."""
        self._thread.end()

    def _commit(self, draft: Draft, kind: str) -> None:
        try:
            self._first()
            draft.commit()
        except BaseException:
            draft.drop()
            raise
        keep = self._keep if kind == "step" else 1
        with suppress(OSError, ConfigError):  # somebody else works in the folder; the checkpoint is complete
            for _, old in checkpoint.folders(self._run_dir, kind)[keep:]:
                checkpoint.remove(old)
