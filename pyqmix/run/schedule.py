"""When a run logs, evaluates and writes checkpoints."""

from __future__ import annotations

import math
from collections.abc import Iterable

from pyqmix.config import Config

NAMES = ("eval", "log", "best", "checkpoint")


class Schedule:
    """Tells at which steps something is due: when a multiple of its interval has been reached since the last time.

    ``best``, the checkpoint of the best evaluation, has no interval and is due on request.

    Args:
        config: has the intervals.
        steps: environment steps so far.
        pending: of a resumed run, what was due at these steps and has not been done.
    """

    def __init__(self, config: Config, steps: int, pending: Iterable[str] = ()) -> None:
        intervals = {"eval": config.eval_every, "log": config.log_every, "checkpoint": config.checkpoint_every}
        self._every = {name: config.in_steps(value) for name, value in intervals.items()}
        next_multiples = {name: _multiple_behind(steps, every) for name, every in self._every.items()}
        self._next: dict[str, float] = {"best": math.inf, **next_multiples, **dict.fromkeys(pending, steps)}

    def is_due(self, name: str, steps: int) -> bool:
        """Whether one of NAMES is due."""
        return steps >= self._next[name]

    def done(self, name: str, steps: int) -> None:
        """Take note that it has been done; it is not due again before its next multiple, or the next request."""
        self._next[name] = _multiple_behind(steps, self._every[name]) if name in self._every else math.inf

    def request(self, name: str, steps: int) -> None:
        """Let something be due now."""
        self._next[name] = steps

    def pending(self, steps: int) -> list[str]:
        """Return what is due and has not been done."""
        return [name for name in NAMES if self.is_due(name, steps)]


def _multiple_behind(steps: int, every: int) -> int:
    return (steps // every + 1) * every
