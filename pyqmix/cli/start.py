"""The entry points of the commands: a signal ends them at any moment, also during the seconds of their imports."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from contextlib import suppress
from functools import partial

from pyqmix.base.signals import STOPPING, catch, exit_code


def train() -> None:
    """``pyqmix-train``."""
    _run("pyqmix-train", "pyqmix.cli.train")


def evaluate() -> None:
    """``pyqmix-eval``."""
    _run("pyqmix-eval", "pyqmix.cli.evaluate")


def plot() -> None:
    """``pyqmix-plot``."""
    _run("pyqmix-plot", "pyqmix.cli.plot")


def _run(program: str, module: str) -> None:
    catch(partial(_end, program))
    try:
        importlib.import_module(module).main()
    finally:
        for number in STOPPING:  # the exit code is known, and a signal is not to change it
            signal.signal(number, signal.SIG_IGN)


def _end(program: str, number: int) -> None:
    """End the process at once: a run's files are written where the trainer handles the signals instead."""
    with suppress(Exception):  # a stream may be in use by the code that the signal interrupts
        sys.stdout.flush()
    with suppress(OSError):
        os.write(2, f"{program}: interrupted\n".encode())
    os._exit(exit_code(number))
