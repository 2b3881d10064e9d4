"""Tells of an environment that hangs in the trainer's process, where nothing can end its call.

Threading contract: the thread that plays uses an :class:`Alarm`, whose own thread reads what is written there.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

from pyqmix.config import Config
from pyqmix.play.heartbeat import NO_EPISODE, Heartbeat, Place


def _to_stderr(line: str) -> None:
    with suppress(OSError):  # of a stream without a reader
        print(line, file=sys.stderr, flush=True)


class Alarm(Heartbeat):
    """A heartbeat of the environments in this process; writes one line of each call that takes too long.

    A context manager for the time in which the environments are built; an exception of that ends it.

    Args:
        config: names the environment, and has the step_timeout.
        say: writes the line.
        trains: whether the environments play a training, which a signal ends with a checkpoint.
    """

    def __init__(self, config: Config, say: Callable[[str], None] = _to_stderr, trains: bool = True) -> None:
        super().__init__()
        self._trains = trains
        self._name, self._limit, self._say = config.task_name or config.env, config.step_timeout, say
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="pyqmix step timeout", daemon=True)
        if self._limit:
            self._thread.start()

    def __enter__(self) -> Alarm:
        self.enter(NO_EPISODE, 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()
        if error is not None:
            self.close()

    def close(self) -> None:
        """End the watching thread."""
        self._ended.set()

    def is_late(self, said: str) -> None:
        """Tell of a call that takes too long, on the watching thread."""
        self._say(f"{said} and goes on; this process cannot end it: {self._advice(self.place)}")

    def _watch(self) -> None:
        told = 0.0
        left = self._limit
        while not self._ended.wait(left):
            since, left = self.since, self.seconds_left(self._limit)
            if left > 0:
                continue
            left = self._limit
            if since != told:
                told = since
                self.is_late(
                    f"environment {self._name}, {self.place}: {self.place.call} has taken step_timeout = "
                    f"{self._limit:g} s"
                )

    def _advice(self, place: Place) -> str:
        if not self._trains:
            return "Ctrl-C interrupts it"
        saves = "" if place.episode == NO_EPISODE else " and writes a checkpoint"
        return f"a second Ctrl-C interrupts it{saves}; with --num-workers its process would be replaced"
