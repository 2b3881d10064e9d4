"""The numbers of a comparison as CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pyqmix.base.files import write_text
from pyqmix.figures.comparison import Comparison, arrange
from pyqmix.figures.curves import Series, estimate, final_scores, shared_range
from pyqmix.figures.statistics import Array
from pyqmix.figures.stored_run import Run


@dataclass(frozen=True)
class Row:
    """A group on a task, at the last step that all its runs have reached.

    Attributes:
        task: environment and task, or the number of tasks that are put together.
        group: its label.
        seeds: number of runs.
        iqm: interquartile mean of the metric over the runs.
        low, high: ends of its 95 % interval; None for a single run.
        mean: over the runs.
        steps: environment steps of the comparison; over several tasks, their sum.
        wall_seconds: median over the runs of the time to this step; likewise.
    """

    task: str
    group: str
    seeds: int
    iqm: float
    low: float | None
    high: float | None
    mean: float
    steps: int
    wall_seconds: float


def table(runs: Sequence[Run], *, metric: str | None = None, labels: Mapping[str, str] | None = None) -> list[Row]:
    """Return the numbers of groups of runs, task by task; the arguments are those of :func:`arrange`."""
    return rows(arrange(runs, metric, labels))


def rows(comparison: Comparison) -> list[Row]:
    """Return the numbers of each group on each task, and then over the tasks that all groups share, if several.

    Normalised scores compare groups, so that one group alone has none.
    """
    found = [
        _row(task, group, [comparison.series[task, group]], [final_scores(comparison.series[task, group])])
        for task in comparison.tasks
        for group in comparison.groups
        if (task, group) in comparison.series
    ]
    if len(comparison.shared_tasks) > 1 and (len(comparison.groups) > 1 or not comparison.is_normalised):
        together = together_name(comparison)
        found += [_row(together, g, comparison.strata(g), comparison.scores(g)) for g in comparison.groups]
    return found


def together_name(comparison: Comparison) -> str:
    """Name the shared tasks as one."""
    return f"{len(comparison.shared_tasks)} tasks" + (", normalised" if comparison.is_normalised else "")


def write_table(found: Sequence[Row], path: Path) -> None:
    """Write rows in the format of the path's suffix: one of :data:`FORMATS`."""
    write_text(path, FORMATS[path.suffix.lower()](found))


def as_csv(found: Iterable[Row]) -> str:
    """Write rows with all digits; a number that does not exist is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in dataclasses.fields(Row)])
    writer.writerows(["" if x is None else x for x in dataclasses.astuple(row)] for row in found)
    return text.getvalue()


def as_markdown(found: Sequence[Row]) -> str:
    """Write rows for people, in columns of equal width."""
    cells = [[text.replace("|", "\\|") for text in line] for line in [_HEADER, *map(_cells, found)]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    padded = [_padded(line, widths) for line in cells]
    rule = [f"{'-' * (w - 1)}{':' if k > 1 else '-'}" for k, w in enumerate(widths)]
    return "".join(f"| {' | '.join(line)} |\n" for line in [padded[0], rule, *padded[1:]])


def as_latex(found: Sequence[Row]) -> str:
    """Write rows as a tabular with the rules of booktabs."""
    lines = [" & ".join(map(_latex, line)) + r" \\" for line in [_HEADER, *map(_cells, found)]]
    head = [r"% needs \usepackage{booktabs}", r"\begin{tabular}{llrlrrr}", r"\toprule", lines[0], r"\midrule"]
    return "\n".join([*head, *lines[1:], r"\bottomrule", r"\end{tabular}", ""])


FORMATS: dict[str, Callable[[Sequence[Row]], str]] = {".csv": as_csv, ".md": as_markdown, ".tex": as_latex}

_HEADER = ["task", "group", "seeds", "IQM [95 % interval]", "mean", "steps", "wall time (s)"]
_SPECIAL = {
    **{x: f"\\{x}" for x in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "…": r"\dots{}"},
}


def _row(task: str, group: str, strata: Sequence[Sequence[Series]], scores: Sequence[Array]) -> Row:
    steps, seconds = 0.0, 0.0
    for series in strata:
        _, last = shared_range(series)
        steps += last
        seconds += float(np.median([each.until(last).seconds[-1] for each in series]))
    mean = float(np.mean([task_scores.mean() for task_scores in scores]))
    iqm, low, high = estimate(scores)
    return Row(task, group, sum(map(len, strata)), iqm, low, high, mean, round(steps), seconds)


def _cells(row: Row) -> list[str]:
    interval = "" if row.low is None or row.high is None else f" [{_number(row.low)}, {_number(row.high)}]"
    return [
        *(row.task, row.group, str(row.seeds), f"{_number(row.iqm)}{interval}"),
        *(_number(row.mean), f"{row.steps:,}", f"{row.wall_seconds:,.0f}"),
    ]


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 100 else f"{value:,.1f}" if abs(value) < 1e6 else f"{value:.3e}"


def _padded(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [x.ljust(w) if k < 2 else x.rjust(w) for k, (x, w) in enumerate(zip(line, widths, strict=True))]


def _latex(text: str) -> str:
    return "".join(_SPECIAL.get(x, x) for x in text)
