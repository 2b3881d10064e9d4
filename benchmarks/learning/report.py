"""Table and figure of a recorded sweep, by the groups and the statistics of ``pyqmix-plot``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from harness import table
from learning.record import MEASURES, Record, Rows, task_of
from matplotlib.figure import Figure

from pyqmix.figures import Run
from pyqmix.figures.comparison import Comparison, arrange
from pyqmix.figures.curves import estimate
from pyqmix.figures.drawing import draw
from pyqmix.run.metrics import Metrics
from pyqmix.sweep.planned import PlannedRun

MOST_CURVES = 10  # groups; of more, the final values are drawn as bars
MEDIANS = ("steps", "updates", "wall_seconds", "cpu_seconds")
HEADER = (
    "task",
    "group",
    "seeds",
    "IQM [95 %]",
    "lowest, highest",
    "random",
    "steps",
    "updates",
    "wall s",
    "CPU s",
)


def write_report(record: Record) -> None:
    """Write ``NAME.md`` and ``NAME.png`` beside the record, and print the table."""
    names = [name for name in record.runs if name in record.rows]
    if not names:
        print("no run is recorded")
        return
    points: dict[str, Rows] = {name: [] for name in names}
    for point in record.points:
        points[point["run"]].append(point)
    finals = arrange([_as_run(record.runs[name], [record.rows[name]]) for name in names])
    figure = record.path.with_suffix(".png")
    if len(finals.groups) <= MOST_CURVES:
        draw(arrange([_as_run(record.runs[name], points[name]) for name in names], finals.metric), figure)
    else:
        _draw_bars(finals, figure)
    text = _table(record, finals)
    print(text)
    record.path.with_suffix(".md").write_text(_page(record, finals, text))


def _as_run(planned: PlannedRun, points: Iterable[dict[str, str]]) -> Run:
    """Make evaluations into a run as :func:`pyqmix.figures.read_run` reads it."""
    metrics = [
        Metrics(
            int(point["steps"]),
            0,
            0,
            0.0,
            wall_seconds=float(point["wall_seconds"]),
            **{name: float(point[name]) for name in MEASURES if point[name]},
        )
        for point in points
    ]
    return Run(Path(planned.name), dataclasses.asdict(planned.config), metrics, None, variant=planned.variant)


def _table(record: Record, finals: Comparison) -> str:
    rows = [
        _row(record, finals, task, group)
        for task in finals.tasks
        for group in finals.groups
        if (task, group) in finals.series
    ]
    return table(HEADER, rows)


def _row(record: Record, finals: Comparison, task: str, group: str) -> list[str]:
    series = finals.series[task, group]
    runs = [each.run.folder.name for each in series]
    values = np.array([each.values[-1] for each in series])
    centre, low, high = estimate([values])
    interval = "" if low is None else f" [{low:.3f}, {high:.3f}]"
    random = record.random.get(task_of(record.runs[runs[0]].config), {}).get(finals.metric)
    medians = [_median(record.rows[run][column] for run in runs) for column in MEDIANS]
    return [
        *(task, group, str(len(runs)), f"{centre:.3f}{interval}", f"{values.min():.3f}, {values.max():.3f}"),
        *(f"{float(random):.3f}" if random else "-", *medians),
    ]


def _median(texts: Iterable[str]) -> str:
    known = [float(text) for text in texts if text]
    return f"{np.median(known):,.0f}" if known else "-"


def _page(record: Record, finals: Comparison, text: str) -> str:
    episodes = " or ".join(sorted({f"{int(row['episodes']):,}" for row in record.rows.values()}))
    measure, sweep = finals.measure.capitalize(), f"benchmarks/learning/sweeps/{record.name}.yaml"
    return (
        f"# {record.name}\n\n{record.about}\n\n{measure} over {episodes} fresh episodes after training: "
        "interquartile mean over seeds [95 % bootstrap\ninterval], lowest and highest seed, and the value of a "
        "policy that chooses uniformly among the available actions.\nSteps, updates and seconds are medians. "
        f"{len(record.rows)} of {len(record.runs)} runs are recorded.\n\n{text}\n"
        f"![{measure}](results/{record.name}.png)\n\n"
        f"Commands: `pyqmix-sweep {sweep} --out DIR`, then `python benchmarks/learning {record.name} DIR`\n"
    )


def _draw_bars(finals: Comparison, path: Path) -> None:
    """Draw every run's final value, and each group's interquartile mean as a bar."""
    several = len(finals.tasks) > 1
    bars = [(f"{group}, {task}" if several else group, found) for (task, group), found in finals.series.items()]
    figure = Figure(figsize=(8, 0.6 + 0.24 * len(bars)), dpi=120, layout="constrained")
    axis: Any = figure.subplots()
    for place, (_, found) in enumerate(bars):
        values = np.array([each.values[-1] for each in found])
        axis.barh(place, estimate([values])[0], color="lightsteelblue")
        axis.plot(values, [place] * len(values), ".", color="navy", markersize=4)
    axis.set_yticks(range(len(bars)), [label for label, _ in bars])
    axis.margins(y=0.01)
    axis.invert_yaxis()
    axis.set(xlabel=f"{finals.measure} at the end")
    axis.tick_params(labelsize=7)
    axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)
