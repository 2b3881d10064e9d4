"""A measure of runs over steps and wall time, on a grid that the runs share.

Between two values of a run lies a straight line. A group's curve begins at the latest first value of its runs and
ends at the earliest last one, so that each of its points has all runs: nothing is extrapolated. Wall time is
compared over the same steps; a run that has done them keeps its last value until the group's slowest run has, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pyqmix.figures.statistics import (
    REPETITIONS,
    Array,
    Scores,
    interquartile_mean,
    percentile_interval,
    pooled,
    resamples,
)
from pyqmix.figures.stored_run import Run

POINTS = 101  # of a grid
LARGEST = 1e100  # a value; the sum of many must be finite


@dataclass(frozen=True)
class Series:
    """A measure of one run, in the order of its steps.

    Attributes:
        run: whose it is.
        steps: (k,) environment steps, increasing.
        seconds: (k,) wall time, not decreasing.
        values: (k,) finite values.
    """

    run: Run
    steps: Array
    seconds: Array
    values: Array

    @classmethod
    def of(cls, run: Run, metric: str) -> Series | None:
        """Take the lines of a run that have a finite value, the last of each step; None where there are none."""
        known = {
            m.steps: (m.steps, m.wall_seconds, value)
            for m in run.metrics
            if (value := getattr(m, metric)) is not None and _usable(m.wall_seconds, value)
        }
        if not known:
            return None
        steps, seconds, values = np.array([known[step] for step in sorted(known)], np.float64).T
        return cls(run, steps, np.maximum.accumulate(seconds), values)

    def until(self, steps: float) -> Series:
        """Cut the series at a step that lies between its first and its last one."""
        kept = self.steps < steps
        seconds, values = (np.interp(steps, self.steps, column) for column in (self.seconds, self.values))
        ends = ((self.steps, steps), (self.seconds, seconds), (self.values, values))
        return Series(self.run, *(np.append(column[kept], end) for column, end in ends))


@dataclass(frozen=True)
class Curve:
    """The interquartile mean of a group over steps or wall time.

    Attributes:
        x: (p,) steps or seconds.
        centre: (p,) interquartile mean over the runs.
        low, high: (p,) ends of its 95 % interval; None for a single run.
    """

    x: Array
    centre: Array
    low: Array | None
    high: Array | None


def shared_range(series: Sequence[Series]) -> tuple[float, float]:
    """Return the first and the last step at which all runs have a value; the last one twice where none has it."""
    first = max(each.steps[0] for each in series)
    last = min(each.steps[-1] for each in series)
    return min(first, last), last


def over_steps(series: Sequence[Series]) -> Curve:
    """Aggregate the runs of a task over steps."""
    grid = np.linspace(*shared_range(series), POINTS)
    return _curve(grid, [_on(grid, [(each.steps, each.values) for each in series])])


def over_seconds(series: Sequence[Series]) -> Curve:
    """Aggregate the runs of a task over wall time."""
    _, last = shared_range(series)
    cut = [each.until(last) for each in series]
    grid = np.linspace(max(each.seconds[0] for each in cut), max(each.seconds[-1] for each in cut), POINTS)
    return _curve(grid, [_on(grid, [(each.seconds, each.values) for each in cut])])


def final_scores(series: Sequence[Series]) -> Array:
    """Return the runs' values (runs,) at the last step that all have reached."""
    _, last = shared_range(series)
    return np.array([np.interp(last, each.steps, each.values) for each in series])


def estimate(scores: Scores) -> tuple[float, float | None, float | None]:
    """Return the interquartile mean of the scores of runs, and the ends of its 95 % interval: None for one run."""
    point = _curve(np.zeros(1), [task[None, :] for task in scores])
    low, high = (None if end is None else float(end[0]) for end in (point.low, point.high))
    return float(point.centre[0]), low, high


def _on(grid: Array, columns: Sequence[tuple[Array, Array]]) -> Array:
    """Interpolate runs on a grid (p,): (p, runs)."""
    return np.stack([np.interp(grid, x, values) for x, values in columns], axis=-1)


def _curve(x: Array, strata: Sequence[Array]) -> Curve:
    """Aggregate the runs' values (p, runs) of each task; all points share their resamples of the runs."""
    centre = interquartile_mean(np.concatenate(strata, axis=-1))
    if all(values.shape[-1] == 1 for values in strata):
        return Curve(x, centre, None, None)
    drawn = resamples([values.shape[-1] for values in strata], REPETITIONS, np.random.RandomState(0))
    ends = [
        percentile_interval(interquartile_mean(pooled([values[point] for values in strata], drawn)))
        for point in range(x.size)
    ]
    low, high = np.array(ends).T
    return Curve(x, centre, low, high)


def _usable(*numbers: float) -> bool:
    return all(abs(number) < LARGEST for number in numbers)  # False for NaN, too
