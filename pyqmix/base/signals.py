"""The signals that stop a run, and the exit codes of commands that they end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)  # SIGUSR1 is slurm's warning
AT_ONCE = 0.1  # seconds within which several signals are one: a terminal sends Ctrl-C, and a wrapper passes it on
Handler = Callable[[int, FrameType | None], None]


def exit_code(number: int) -> int:
    """Return the exit code of a command that a signal has ended: 130 for Ctrl-C, 143 for all others."""
    return 130 if number == signal.SIGINT else 143


@dataclass(frozen=True)
class Caught:
    """The stopping signals that a function handles.

    Attributes:
        handler: of the signals.
        before: their handlers from before.
    """

    handler: Handler
    before: Mapping[signal.Signals, Any]

    def release(self) -> None:
        """Give the signals their handlers from before, but those that somebody else has taken meanwhile."""
        for number, before in self.before.items():
            if signal.getsignal(number) is self.handler:
                signal.signal(number, before)


def catch(handle: Callable[[int], None]) -> Caught:
    """Let a function handle the stopping signals in this process; in a forked child they have their usual actions.

    Signals are left alone that code outside of Python handles, such as faulthandler's or a program's that embeds
    Python, and SIGHUP where it is ignored, as ``nohup`` does. Outside of the main thread none can be handled.
    SIGINT is handled also where it is ignored: a shell script ignores it for a command that it starts with ``&``,
    and ``kill -INT`` is to end such a run, too.
    """
    process = os.getpid()

    def handler(number: int, frame: FrameType | None) -> None:
        if os.getpid() == process:
            handle(number)
        else:
            _act_as_usual(number)

    before: dict[signal.Signals, Any] = {}
    for number in STOPPING:
        present = signal.getsignal(number)
        if not _is_handled_elsewhere(number, present) and (number, present) != (signal.SIGHUP, signal.SIG_IGN):
            with suppress(ValueError):  # not the main thread of the main interpreter
                signal.signal(number, handler)
                before[number] = present
    return Caught(handler, before)


def survive() -> None:
    """Let the stopping signals, also those held back, do nothing in this process."""
    catch(_do_nothing)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


@contextmanager
def blocked() -> Iterator[None]:
    """Hold the stopping signals back from this thread and from processes that it starts, which inherit that."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _is_handled_elsewhere(number: signal.Signals, present: object) -> bool:
    """Whether code outside of Python handles a signal, of which Python need not know."""
    if present is None:
        return True
    return present in (signal.SIG_DFL, signal.SIG_IGN) and bool(_handled_signals() >> (number - 1) & 1)


def _handled_signals() -> int:
    """Return the signals that have a handler in this process, a bit for each; 0 where that is unknown."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(errors="replace").splitlines():
            if line.startswith("SigCgt:"):
                return int(line.split()[1], 16)
    return 0


def _do_nothing(number: int) -> None:
    pass


def _act_as_usual(number: int) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
