"""The end of the program, while other threads of it still use pyqmix.

Only daemon threads are left then. Python ends each of them where it next needs the interpreter, and in the middle
of an operation of torch that aborts the process. So calls of pyqmix on such threads end earlier, by a SystemExit,
by which a thread ends without a word. For that the program waits a few seconds at most. A run's folder then has
its last checkpoint, as after a kill; a worker process ends with its trainer's thread.

Threading contract: any thread may call anything here.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_INSIDE = 5.0  # seconds that calls may take to end
_AGAIN = 1.0  # seconds that a thread may take to its next call, which ends it


class _Calls:
    """The calls of pyqmix in this process.

    Attributes:
        open: how many each thread is in.
        last: when each thread's last call ended.
        ender: the thread that ends the program; None before.
    """

    def __init__(self) -> None:
        self.open: dict[int, int] = {}
        self.last: dict[int, float] = {}
        self.ender: int | None = None
        self.is_watched = False


_calls = _Calls()


@contextmanager
def call() -> Iterator[None]:
    """Let the program's end wait for the block, which reaches :func:`rest` from time to time. Also a decorator.

    Raises:
        SystemExit: the program ends, and this is another thread.
    """
    enter()
    try:
        yield
    finally:
        leave()
    rest()


def enter() -> None:
    """Begin a :func:`call`."""
    rest()
    if not _calls.is_watched:
        _calls.is_watched = True
        atexit.register(_end)  # not at import: what is registered later comes sooner, and multiprocessing's waits
    thread = threading.get_ident()
    _calls.open[thread] = _calls.open.get(thread, 0) + 1


def leave() -> None:
    """End a :func:`call`."""
    thread = threading.get_ident()
    _calls.last[thread] = time.monotonic()
    left = _calls.open.get(thread, 0) - 1
    if left > 0:
        _calls.open[thread] = left
    else:
        _calls.open.pop(thread, None)


def rest() -> None:
    """Go on unless the program ends.

    Raises:
        SystemExit: it does, and this is another thread than the one that ends it.
    """
    if _calls.ender is not None and _calls.ender != threading.get_ident():
        raise SystemExit  # threading is silent about this very class alone


def has_come() -> bool:
    """Whether the program ends."""
    return _calls.ender is not None


def _end() -> None:
    _calls.ender, now = threading.get_ident(), time.monotonic()
    for thread in threading.enumerate():
        ident = thread.ident
        if ident is None or ident == _calls.ender:
            continue
        if ident in _calls.open:
            _wait(thread, now + _INSIDE)
        elif now - _calls.last.get(ident, -_AGAIN) < _AGAIN:
            _wait(thread, now + _AGAIN)


def _wait(thread: threading.Thread, until: float) -> None:
    while thread.is_alive() and time.monotonic() < until:
        time.sleep(0.002)  # a thread that Python has not started cannot be joined


def _forget() -> None:
    _calls.open.clear()
    _calls.last.clear()


os.register_at_fork(after_in_child=_forget)  # which has none of these threads
