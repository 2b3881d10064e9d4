"""When a run logs, evaluates and writes checkpoints."""

from __future__ import annotations

from collections.abc import Iterable

from pyqmix.config import Config

NAMES = ("eval", "log", "checkpoint")


class Schedule:
    """Tells at which steps something is due: when a multiple of its interval has been reached since the last time.

    Args:
        config: has the intervals.
        steps: environment steps so far.
        pending: of a resumed run, what was due at these steps and has not been done.
    """

    def __init__(self, config: Config, steps: int, pending: Iterable[str] = ()) -> None:
        self._every = {"eval": config.eval_every, "log": config.log_every, "checkpoint": config.checkpoint_every}
        self._next = {name: _multiple_behind(steps, every) for name, every in self._every.items()}
        self._next |= dict.fromkeys(pending, steps)

    def is_due(self, name: str, steps: int) -> bool:
        """Whether ``eval``, ``log`` or ``checkpoint`` is due."""
        return steps >= self._next[name]

    def done(self, name: str, steps: int) -> None:
        """Take note that it has been done; it is not due again before its next multiple."""
        self._next[name] = _multiple_behind(steps, self._every[name])

    def pending(self, steps: int) -> list[str]:
        """Return what is due and has not been done."""
        return [name for name in NAMES if self.is_due(name, steps)]


def _multiple_behind(steps: int, every: int) -> int:
    return (steps // every + 1) * every
