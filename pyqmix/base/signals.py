"""The signals that stop a run, and the exit codes of commands that they end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)  # SIGUSR1 is slurm's warning
AT_ONCE = 0.1  # seconds within which several signals are one: a terminal sends Ctrl-C, and a wrapper passes it on
Handler = Callable[[int, FrameType | None], None]


def exit_code(number: int) -> int:
    """Return the exit code of a command that a signal has ended: 130 for Ctrl-C, 143 for all others."""
    return 130 if number == signal.SIGINT else 143


def catch(handle: Callable[[int], None]) -> dict[signal.Signals, object]:
    """Let a function handle the stopping signals in this process; in a forked child they have their usual actions.

    Signals are left alone that code outside of Python handles, and SIGHUP where it is ignored, as ``nohup`` does.
    SIGINT is handled also where it is ignored: a shell script ignores it for a command that it starts with ``&``,
    and ``kill -INT`` is to end such a run, too.

    Returns:
        The handlers from before.
    """
    process = os.getpid()

    def handler(number: int, frame: FrameType | None) -> None:
        if os.getpid() == process:
            handle(number)
        else:
            _act_as_usual(number)

    before: dict[signal.Signals, object] = {}
    for number in STOPPING:
        present = signal.getsignal(number)
        if present is not None and (number, present) != (signal.SIGHUP, signal.SIG_IGN):
            before[number] = present
            signal.signal(number, handler)
    return before


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


def _do_nothing(number: int) -> None:
    pass


def _act_as_usual(number: int) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
