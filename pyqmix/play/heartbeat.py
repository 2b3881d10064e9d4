"""Tells which environment works, and since when: one of a worker process in shared memory, or one in this process.

Threading contract: the process or thread that plays writes, another one reads. Each number is written whole, and
the time last, so that the reader may blame a step that has just begun, but never sees one as late that is not.
"""

from __future__ import annotations

import time
from collections.abc import MutableSequence
from multiprocessing.context import BaseContext
from typing import NamedTuple

NO_EPISODE = -1  # while the environments are built
RESET = -1  # the step while an environment is reset
_SINCE, _EPISODE, _STEP, _BEGUN = range(4)


class Place(NamedTuple):
    """The environment call that was made last.

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
    """A :class:`pyqmix.play.episodes.Watch` that tells another process or thread.

    Args:
        context: of multiprocessing, to share it with a worker process; None: with threads of this process.
    """

    def __init__(self, context: BaseContext | None = None) -> None:
        self._shared: MutableSequence[float] = [0.0] * 4 if context is None else context.RawArray("d", 4)
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

    def close(self) -> None:
        """Take note that no environment will work any more."""
        self.leave()

    @property
    def since(self) -> float:
        """The time when the present call began; 0 where no environment works."""
        return float(self._shared[_SINCE])

    @property
    def place(self) -> Place:
        """The environment call that was made last."""
        return Place(int(self._shared[_EPISODE]), int(self._shared[_STEP]))

    def seconds_left(self, timeout: float) -> float:
        """Return the time until the present call is late; ``timeout`` where no environment works."""
        since = self.since
        return timeout if since == 0.0 else since + timeout - time.monotonic()
