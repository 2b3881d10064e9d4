"""When a run logs, evaluates and writes checkpoints."""

from __future__ import annotations

from pyqmix.config import Config


class Schedule:
    """Tells at which steps something is due: when a multiple of its interval has been reached since the last time.

    Args:
        config: has the intervals.
        steps: environment steps so far; everything due up to this step has been done.
    """

    def __init__(self, config: Config, steps: int) -> None:
        self._every = {"eval": config.eval_every, "log": config.log_every, "checkpoint": config.checkpoint_every}
        self._next = {name: _multiple_behind(steps, every) for name, every in self._every.items()}

    def is_due(self, name: str, steps: int) -> bool:
        """Whether ``eval``, ``log`` or ``checkpoint`` is due; if so, it is not again before its next multiple."""
        if steps < self._next[name]:
            return False
        self._next[name] = _multiple_behind(steps, self._every[name])
        return True


def _multiple_behind(steps: int, every: int) -> int:
    return (steps // every + 1) * every
