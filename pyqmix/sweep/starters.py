"""Starts the processes of runs: here on this machine; slurm.py and ray_starter.py have those of clusters."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from pyqmix.run.lock import holder_here, is_held
from pyqmix.sweep.command import Command


class Process(Protocol):
    """A run's process."""

    def poll(self) -> int | None:
        """Return the exit code, below 0 the number of the signal that killed it; None while it goes on."""
        ...

    def stop(self, number: int) -> None:
        """Send a signal, upon which a run writes a checkpoint and ends."""
        ...


class Starter(Protocol):
    """Starts the processes of runs."""

    def start(self, command: Command) -> Process:
        """Start or resume a run.

        Raises:
            OSError: no process could be started.
        """
        ...


class LocalProcess:
    """A process on this machine."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def poll(self) -> int | None:
        """Return the exit code; None while it goes on."""
        return self._process.poll()

    def stop(self, number: int) -> None:
        """Send a signal."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)


class LocalStarter:
    """Starts processes on this machine."""

    def start(self, command: Command) -> LocalProcess:
        """Start or resume a run."""
        return LocalProcess(command.start())


class FoundProcess:
    """A run that goes on already: of a sweep that was killed, or of a user. Its lock tells when it ends.

    Args:
        folder: the run's.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._is_left = folder, False

    def poll(self) -> int | None:
        """Return None while a program holds the lock; then 0, as the files tell how the run ended."""
        return None if not self._is_left and is_held(self._folder) else 0

    def stop(self, number: int) -> None:
        """Send a signal to the process that holds the lock; one on another machine is not waited for any more."""
        process = holder_here(self._folder)
        if process is None:
            self._is_left = True
            return
        with suppress(OSError):
            os.kill(process, number)
