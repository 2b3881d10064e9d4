"""Lets a run end cleanly on Ctrl-C."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

# Handlers of a second signal, also where a shell started the process with SIGINT ignored (``command &``).
_SECOND: dict[signal.Signals, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}


class InterruptFlag:
    """A context manager that remembers the first SIGINT or SIGTERM; a second one acts as usual.

    Outside the main thread, where Python delivers no signals, it never sees any.
    """

    def __init__(self) -> None:
        self.seen = False
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> InterruptFlag:
        if threading.current_thread() is threading.main_thread():
            for number in _SECOND:
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.seen = True
        for each, handler in _SECOND.items():
            signal.signal(each, handler)
