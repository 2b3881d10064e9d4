"""How far a run has come, as its display tells it."""

from __future__ import annotations

import time
from collections.abc import Iterable

from pyqmix.run.metrics import Metrics


class Status:
    """The newest numbers of a run, and when it is likely to end.

    Args:
        total: the run's step budget.

    Attributes:
        total: the same.
        steps: environment steps so far.
        newest: the newest line of the metrics; None before the first.
        evaluated: the newest line with an evaluation; None before the first.
        returns: the mean greedy return of each evaluation, in their order.
    """

    def __init__(self, total: int) -> None:
        self.total, self.steps = total, 0
        self.newest: Metrics | None = None
        self.evaluated: Metrics | None = None
        self.returns: list[float] = []
        self._start: tuple[float, int] | None = None
        self._end: float | None = None

    def move(self, steps: int) -> None:
        """Take the number of steps so far; the first one is where this process has begun."""
        now, self.steps = time.monotonic(), steps
        if self._start is None:
            self._start = now, steps
        began, first = self._start
        if steps > first:
            self._end = now + (now - began) / (steps - first) * max(0, self.total - steps)

    def take(self, metrics: Metrics) -> None:
        """Take a line of the metrics."""
        self.newest = metrics
        if metrics.eval_return_mean is not None:
            self.evaluated = metrics
            self.returns.append(metrics.eval_return_mean)

    def go_on(self, history: Iterable[Metrics]) -> None:
        """Take the lines of a resumed run's earlier parts."""
        for metrics in history:
            self.take(metrics)

    def seconds_left(self) -> float | None:
        """Return the time that is left at the mean speed of this process; None before its first episode ends."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())
