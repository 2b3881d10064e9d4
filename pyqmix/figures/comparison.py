"""A measure of groups of runs on their tasks, for figures and tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pyqmix.base.errors import ConfigError
from pyqmix.base.printable import one_line
from pyqmix.figures.curves import Series, final_scores, shared_range
from pyqmix.figures.grouping import Group, group_runs
from pyqmix.figures.statistics import Array
from pyqmix.figures.stored_run import Run

RETURN, WIN_RATE = "eval_return_mean", "eval_win_rate"
_NAMES = {RETURN: "greedy return", WIN_RATE: "greedy win rate"}


@dataclass(frozen=True)
class Comparison:
    """Groups of runs on tasks.

    Attributes:
        metric: the column of metrics.csv that is compared.
        groups: their labels, in the order of their first runs.
        tasks: environments and tasks, likewise.
        series: the runs' values by task and group; a group need not have runs of every task.
        skipped: a sentence for each run that has no value of the metric.
        notes: a sentence for each group whose label is cut, one for several tasks, one for each group that is
            compared up to an earlier step, because one of its runs is at least 5 % shorter than the longest one,
            and one for each group with several runs of a seed, which are no independent samples.
    """

    metric: str
    groups: list[str]
    tasks: list[str]
    series: dict[tuple[str, str], list[Series]]
    skipped: list[str]
    notes: list[str]

    @property
    def measure(self) -> str:
        """The metric, for people to read."""
        return _NAMES.get(self.metric, self.metric.replace("_", " "))

    @property
    def shared_tasks(self) -> list[str]:
        """The tasks of which every group has runs."""
        return [task for task in self.tasks if all((task, group) in self.series for group in self.groups)]

    def require_shared_tasks(self) -> list[str]:
        """Return the shared tasks.

        Raises:
            ConfigError: there are none.
        """
        if not (shared := self.shared_tasks):
            raise ConfigError("expected a task of which every group has runs, to compare the groups over tasks")
        return shared

    @property
    def is_normalised(self) -> bool:
        """Whether scores of several tasks must be normalised before they are put together: win rates need not."""
        return self.metric != WIN_RATE and len(self.shared_tasks) > 1

    def strata(self, group: str) -> list[list[Series]]:
        """Return a group's runs of each shared task.

        Where :attr:`is_normalised`, the lowest value of all runs of a task becomes 0 and the highest becomes 1.
        """
        of_tasks = [self.series[task, group] for task in self.require_shared_tasks()]
        if not self.is_normalised:
            return of_tasks
        return [
            [replace(each, values=(each.values - low) / (high - low or 1.0)) for each in series]
            for series, (low, high) in zip(of_tasks, map(self._extremes, self.shared_tasks), strict=True)
        ]

    def scores(self, group: str) -> list[Array]:
        """Return the final scores (runs,) of a group on each shared task."""
        return [final_scores(series) for series in self.strata(group)]

    def _extremes(self, task: str) -> tuple[float, float]:
        values = np.concatenate([each.values for group in self.groups for each in self.series[task, group]])
        return float(values.min()), float(values.max())


def arrange(runs: Sequence[Run], metric: str | None = None, labels: Mapping[str, str] | None = None) -> Comparison:
    """Group runs, and take their values.

    Args:
        runs: of any tasks, at least one.
        metric: a column of metrics.csv. Default: the greedy win rate where all runs have one, else the greedy
            return.
        labels: names in place of the groups' own, as :func:`group_runs` has them.

    Raises:
        ConfigError: no run has a value of the metric, or ``labels`` names no group.
    """
    metric = metric or _default_metric(runs)
    series = {id(run): found for run in runs if (found := Series.of(run, metric)) is not None}
    kept = [run for run in runs if id(run) in series]
    nothing = "no evaluation" if metric in _NAMES else f"no value of {metric}"
    skipped = [f"{run.folder}: {nothing} in its metrics" for run in runs if id(run) not in series]
    if not kept:
        raise ConfigError("; ".join(skipped) or "expected at least one run")
    groups = group_runs(kept, labels)
    cells: dict[tuple[str, str], list[Series]] = {}
    for group in groups:
        for run in group.runs:
            cells.setdefault((run.task, group.label), []).append(series[id(run)])
    tasks = list(dict.fromkeys(run.task for run in kept))
    return Comparison(
        metric, [group.label for group in groups], tasks, cells, skipped, list(_notes(groups, tasks, cells))
    )


def _notes(
    groups: Sequence[Group], tasks: Sequence[str], cells: Mapping[tuple[str, str], Sequence[Series]]
) -> Iterator[str]:
    for group in groups:
        if (cut := group.label.partition("… #"))[1]:
            yield f"#{cut[2]} is {one_line(group.options, 1_000)}"
    if len(tasks) > 1:
        yield f"{len(tasks)} tasks, each with panels of its own: {', '.join(tasks)}"
    for (task, label), series in cells.items():
        shortest, longest = shared_range(series)[1], max(each.steps[-1] for each in series)
        if shortest < 0.95 * longest:
            run = min(series, key=lambda each: each.steps[-1]).run.folder
            yield f"{label} on {task}: compared up to step {shortest:,.0f} of {longest:,.0f}, where {run} ends"
        seeds = Counter(str(each.run.options.get("seed")) for each in series)
        if repeated := [seed for seed, count in seeds.items() if count > 1]:
            yield f"{label} on {task}: the interval takes several runs of seed {repeated[0]} for independent ones"


def _default_metric(runs: Sequence[Run]) -> str:
    won = [Series.of(run, WIN_RATE) is not None for run in runs]
    evaluated = [has or Series.of(run, RETURN) is not None for run, has in zip(runs, won, strict=True)]
    return WIN_RATE if any(won) and won == evaluated else RETURN
