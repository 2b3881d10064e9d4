"""A thread that makes one call after another."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

T = TypeVar("T")


class CallThread(Generic[T]):
    """A daemon thread that makes calls in their order, started at once: the system may refuse a thread later.

    Unlike those of concurrent.futures, it lets a second Ctrl-C end the process whatever it is doing, and it still
    takes calls when the main thread has ended.

    Threading contract: one thread at a time may use it.

    Args:
        name: the thread's.
    """

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[Callable[[], T] | None] = SimpleQueue()
        self._outcomes: SimpleQueue[T | BaseException] = SimpleQueue()
        self._thread = Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()
        self._waiting = 0

    def start(self, call: Callable[[], T]) -> None:
        """Make a call, after those before."""
        self._waiting += 1
        self._calls.put(call)

    @property
    def waiting(self) -> int:
        """The number of calls whose results nobody has taken."""
        return self._waiting

    def result(self) -> T:
        """Wait for the oldest call whose result nobody has taken; return it, or raise the call's exception."""
        outcome = self._outcomes.get()
        self._waiting -= 1
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def end(self, timeout: float | None = None) -> bool:
        """End behind the calls so far, waiting at most ``timeout`` seconds; return whether it has ended."""
        self._calls.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                self._outcomes.put(call())
            except BaseException as error:
                self._outcomes.put(error)
