"""Hands a run's numbers to a logger on a thread, so that training neither waits for it nor fails with it."""

from __future__ import annotations

from collections.abc import Mapping
from queue import SimpleQueue
from threading import Thread

from pyqmix.loggers import Logger, Status

Item = tuple[int, Mapping[str, float]] | Status


class Feed:
    """The queue of a logger, and the thread that empties it.

    Attributes:
        step: the last one that the logger has taken; -1 before the first.
        error: of the logger, which gets nothing more.

    Args:
        name: the logger's, for the thread.
        logger: the logger.
        step: the last one that it had taken in an earlier part of the run.

    Raises:
        RuntimeError: no thread could be started.
    """

    def __init__(self, name: str, logger: Logger, step: int = -1) -> None:
        self.step = step
        self.error: BaseException | None = None
        self._logger = logger
        self._items: SimpleQueue[Item] = SimpleQueue()
        self._thread = Thread(target=self._work, name=f"pyqmix-{name}", daemon=True)
        self._thread.start()

    def put(self, step: int, values: Mapping[str, float]) -> None:
        """Queue the numbers of a step, unless the logger has taken it."""
        if step > self.step:
            self._items.put((step, values))

    def end(self, status: Status) -> None:
        """Let the logger close itself after all that is queued."""
        self._items.put(status)

    def wait(self, seconds: float) -> bool:
        """Wait until the logger has closed itself or failed; return whether it has."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _work(self) -> None:
        try:
            while not isinstance(item := self._items.get(), str):
                self._logger.log(*item)
                self.step = item[0]
            self._logger.close(item)
        except BaseException as error:  # a tool may raise anything, SystemExit too
            self.error = error
