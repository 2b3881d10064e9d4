"""The entry points of the commands: a signal ends them at any moment, also during the seconds of their imports."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import time
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import NoReturn

from pyqmix import _loading
from pyqmix.base.output import escape_unknown_characters, flush_all
from pyqmix.base.signals import AT_ONCE, STOPPING, catch, exit_code


def train() -> None:
    """``pyqmix-train``; where a run begins, the trainer handles the signals in place of this module."""
    _run("pyqmix-train", "pyqmix.cli.train")


def evaluate() -> None:
    """``pyqmix-eval``."""
    _run("pyqmix-eval", "pyqmix.cli.evaluate", unwinds=True)


def plot() -> None:
    """``pyqmix-plot``."""
    _run("pyqmix-plot", "pyqmix.cli.plot", unwinds=True)


def sweep() -> None:
    """``pyqmix-sweep``; where the runs begin, the sweep handles the signals in place of this module."""
    _run("pyqmix-sweep", "pyqmix.cli.sweep")


def runs() -> None:
    """``pyqmix-runs``."""
    _run("pyqmix-runs", "pyqmix.cli.runs", unwinds=True)


def export() -> None:
    """``pyqmix-export``."""
    _run("pyqmix-export", "pyqmix.cli.export", unwinds=True)


def import_model() -> None:
    """``pyqmix-import``."""
    _run("pyqmix-import", "pyqmix.cli.import_model", unwinds=True)


class _Stopped(KeyboardInterrupt):
    """A signal, as an exception, so that temporary files are removed.

    Attributes:
        number: the signal's.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class _Unwinding:
    """A handler that raises at the first signal, and ends the process at a later one.

    While a command imports what it needs, it ends the process at once, because an import may swallow exceptions.

    Args:
        program: the command's name.
    """

    def __init__(self, program: str) -> None:
        self._program = program
        self._first: float | None = None

    def __call__(self, number: int) -> None:
        now = time.monotonic()
        if self._first is None:
            if _is_importing():
                _end(self._program, number)
            self._first = now
            raise _Stopped(number)
        if now - self._first > AT_ONCE:
            _end(self._program, number)


def _run(program: str, module: str, unwinds: bool = False) -> None:
    """Run a command.

    Args:
        program: its name.
        module: has its ``main``.
        unwinds: after its imports, end by an exception.
    """
    _loading.require_own_folder()  # where pyqmix/__init__.py is the other project's
    catch(partial(_end, program))
    escape_unknown_characters()
    try:
        try:
            main = importlib.import_module(module).main
            if unwinds:
                catch(_Unwinding(program))
            main()
        finally:
            _ignore_signals()  # the exit code is known, and a signal is not to change it
            flush_all()
    except _Stopped as stopped:
        _ignore_signals()
        _say_interrupted(program)
        sys.exit(exit_code(stopped.number))


def _is_importing() -> bool:
    """Whether an import statement of a command is under way: others may be in the middle of a file."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_back is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            importer = frame.f_back.f_globals.get("__name__", "")
            if importer.startswith("pyqmix.cli."):
                return True
        frame = frame.f_back
    return False


def _ignore_signals() -> None:
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)


def _say_interrupted(program: str) -> None:
    with suppress(OSError):
        os.write(2, f"{program}: interrupted\n".encode())


def _end(program: str, number: int) -> NoReturn:
    """End the process at once."""
    with suppress(Exception):  # a stream may be in use by the code that the signal interrupts
        sys.stdout.flush()
    _say_interrupted(program)
    os._exit(exit_code(number))
