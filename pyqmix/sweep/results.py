"""The results of a sweep: one table, as CSV and Markdown, and one figure of the runs that have ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pyqmix.base.errors import ConfigError
from pyqmix.base.files import write_text
from pyqmix.figures import read_run
from pyqmix.sweep.status import ENDED, find_runs, read_status

TABLES, FIGURE = ("results.csv", "results.md"), "results.png"
MOST_GROUPS = 20  # of a figure; a search has more settings than a figure can show


def write_results(out: Path) -> Iterator[str]:
    """Write the tables and the figure of a sweep into its folder, and give the lines to print.

    The groups are compared by the greedy win rate where all runs have one, else by the greedy return. The figure
    has the 20 groups with the largest interquartile mean.

    Args:
        out: the sweep's folder. Without a run in it that has ended nothing is written.
    """
    from pyqmix.figures import comparison, drawing, tables  # matplotlib, of no use before

    found = map(read_status, find_runs(out / "runs"))
    runs = [read_run(each.folder) for each in found if each.state == ENDED]
    if not runs:
        return
    try:
        compared = comparison.arrange(runs)
    except ConfigError as error:  # no run has an evaluation
        yield f"no results: {error}"
        return
    yield from (f"left out: {sentence}" for sentence in compared.skipped)
    rows = sorted(tables.rows(compared), key=lambda row: (row.task, -row.iqm))
    for name, text in zip(TABLES, (tables.as_csv(rows), tables.as_markdown(rows)), strict=True):
        write_text(out / name, text)
        if name.endswith(".md"):
            yield text
    best = list(dict.fromkeys(row.group for row in sorted(rows, key=lambda row: -row.iqm)))[:MOST_GROUPS]
    if len(best) < len(compared.groups):
        yield f"the figure has the best {MOST_GROUPS} of {len(compared.groups)} groups"
        shown = [series for (_, group), found in compared.series.items() if group in best for series in found]
        compared = comparison.arrange([series.run for series in shown])
    drawing.draw(compared, out / FIGURE)
    yield "\n".join(str(out / name) for name in (*TABLES, FIGURE))
