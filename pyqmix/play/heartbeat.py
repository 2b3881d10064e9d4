"""Tells in shared memory which environment of a worker process works, and since when.

Threading contract: the worker writes, the trainer reads. Each number is written whole, and the time last, so that
the trainer may blame a step that has just begun, but never sees one as late that is not.
"""

from __future__ import annotations

import time
from multiprocessing.context import BaseContext
from typing import NamedTuple

NO_EPISODE = -1  # while the environments are built
RESET = -1  # the step while an environment is reset
_SINCE, _EPISODE, _STEP, _BEGUN = range(4)


class Place(NamedTuple):
    """The environment call that a worker made last.

    Attributes:
        episode: NO_EPISODE while the environments are built.
        step: RESET in an episode's reset.
    """

    episode: int
    step: int

    def __str__(self) -> str:
        if self.episode == NO_EPISODE:
            return "while it is built"
        return f"episode {self.episode}, step {max(0, self.step)}"

    @property
    def call(self) -> str:
        """The name of what was called."""
        if self.episode == NO_EPISODE:
            return "its constructor"
        return "reset" if self.step == RESET else "step"


class Heartbeat:
    """The heartbeat of one worker process; a :class:`pyqmix.play.episodes.Watch` there."""

    def __init__(self, context: BaseContext) -> None:
        self._shared = context.RawArray("d", 4)
        self._shared[_EPISODE] = NO_EPISODE

    def begin(self) -> None:
        """Take note, in the worker, that it has started."""
        self._shared[_BEGUN] = 1.0

    @property
    def begun(self) -> bool:
        """Whether the worker has started."""
        return bool(self._shared[_BEGUN])

    def enter(self, episode: int, step: int) -> None:
        """Take note that an environment works."""
        self._shared[_EPISODE], self._shared[_STEP] = episode, step
        self._shared[_SINCE] = time.monotonic()

    def leave(self) -> None:
        """Take note that no environment works."""
        self._shared[_SINCE] = 0.0

    @property
    def place(self) -> Place:
        """The environment call that was made last."""
        return Place(int(self._shared[_EPISODE]), int(self._shared[_STEP]))

    def seconds_left(self, timeout: float) -> float:
        """Return the time until the present call is late; ``timeout`` where no environment works."""
        since = float(self._shared[_SINCE])
        return timeout if since == 0.0 else since + timeout - time.monotonic()
