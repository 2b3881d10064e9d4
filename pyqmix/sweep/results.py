"""The results of a sweep: one table, as CSV and Markdown, and one figure of the runs that have ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from pyqmix.base.errors import ConfigError
from pyqmix.base.files import write_text
from pyqmix.figures import read_run
from pyqmix.figures.folders import find_runs
from pyqmix.sweep.status import ENDED, read_status
from pyqmix.sweep.table import Column, fitted

if TYPE_CHECKING:
    from pyqmix.figures.tables import Row

TABLES, FIGURE = ("results.csv", "results.md"), "results.png"
MOST_GROUPS = 20  # of a figure; a search has more settings than a figure can show


_COLUMNS = (
    Column("group", 0, right=False),
    Column("task", 2, right=False),
    Column("IQM", 1),
    Column("95 % interval", 3, right=False),
    Column("runs", 4),
    Column("steps", 5),
    Column("wall s", 6),
)


def write_results(out: Path, variants: Mapping[str, str], console: Console) -> None:
    """Write the tables and the figure of a sweep into its folder, and print the table.

    The groups are compared by the greedy win rate where all runs have one, else by the greedy return. The figure
    has the 20 groups with the largest interquartile mean.

    Args:
        out: the sweep's folder. Without a run in it that has ended nothing is written.
        variants: their names by the runs' names, for the groups' labels.
        console: where to print.
    """
    from pyqmix.figures import comparison, drawing, tables  # matplotlib, of no use before

    states = map(read_status, find_runs(out / "runs"))
    ended = [read_run(each.folder) for each in states if each.state == ENDED]
    runs = [replace(run, variant=variants.get(run.folder.name, "")) for run in ended]
    if not runs:
        return
    try:
        compared = comparison.arrange(runs)
    except ConfigError as error:  # no run has an evaluation
        console.print(f"no results: {error}", markup=False, soft_wrap=True)
        return
    found = tables.rows(compared)
    tasks = list(dict.fromkeys(row.task for row in found))
    rows = sorted(found, key=lambda row: (tasks.index(row.task), -row.iqm))
    for name, text in zip(TABLES, (tables.as_csv(rows), tables.as_markdown(rows)), strict=True):
        write_text(out / name, text)
    console.print(f"{compared.measure}, interquartile mean (IQM) over the runs that have ended:", soft_wrap=True)
    console.print(fitted([_cells(row) for row in rows], console.width if console.is_terminal else None, _COLUMNS))
    best = list(dict.fromkeys(row.group for row in sorted(rows, key=lambda row: -row.iqm)))[:MOST_GROUPS]
    notes = [f"left out: {sentence}" for sentence in compared.skipped]
    if len(best) < len(compared.groups):
        notes.append(f"the figure has the best {MOST_GROUPS} of {len(compared.groups)} groups")
        shown = [each for (_, group), series in compared.series.items() if group in best for each in series]
        compared = comparison.arrange([each.run for each in shown])
    drawing.draw(compared, out / FIGURE)
    for line in (*notes, *(str(out / name) for name in (*TABLES, FIGURE))):
        console.print(line, markup=False, soft_wrap=True)


def _cells(row: Row) -> dict[str, str]:
    interval = "" if row.low is None or row.high is None else f"{row.low:.3f} to {row.high:.3f}"
    return {
        "group": row.group,
        "task": row.task,
        "IQM": f"{row.iqm:.3f}",
        "95 % interval": interval,
        "runs": str(row.seeds),
        "steps": f"{row.steps:,}",
        "wall s": f"{row.wall_seconds:,.0f}",
    }
