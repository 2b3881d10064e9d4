"""Table and figure of a sweep: interquartile means over seeds with bootstrap intervals, and learning curves."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from harness import README, RESULTS, table, with_results
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import stats

THRESHOLDS = (0.9, 0.95, 0.97)
Rows = list[dict[str, str]]


def interquartile_mean(values: NDArray[np.float64], axis: int = -1) -> Any:
    """Mean of the middle half: of five values, of the middle three."""
    return stats.trim_mean(values, 0.25, axis=axis)


def estimate(values: Sequence[float]) -> str:
    """Write the interquartile mean with its 95 % interval, a percentile bootstrap over seeds."""
    centre = float(interquartile_mean(np.array(values)))
    if len(values) < 2:
        return f"{centre:.3f}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # equal values have no interval, which is told below
        interval = stats.bootstrap(
            (values,), interquartile_mean, n_resamples=5_000, method="percentile", rng=np.random.default_rng(0)
        ).confidence_interval
    return f"{centre:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def seconds_to(threshold: float, points: Rows) -> float | None:
    """Wall seconds of a run until its first evaluation that reaches a return; None if none does."""
    return next((float(p["wall_seconds"]) for p in points if float(p["greedy_return"]) >= threshold), None)


def by_line(rows: Rows) -> dict[str, Rows]:
    """Group rows by their lines."""
    groups: dict[str, Rows] = defaultdict(list)
    for row in rows:
        groups[row["line"]].append(row)
    return groups


def write_report(name: str, sweep: dict[str, Any], rows: Rows, points: Rows) -> None:
    """Write ``results/NAME.md`` and ``results/NAME.png``, and print the table."""
    groups, curves = by_line(rows), by_line(points)
    header = [
        *("line", "seeds", "final (1,000 episodes)", "worst seed", "maximum on the way", "steps", "updates"),
        *("wall s", "cpu s", "load", *(f"s to {threshold:g}" for threshold in THRESHOLDS)),
    ]
    text = table(header, [line_row(line, groups[line], curves[line]) for line in sweep["lines"] if line in groups])
    absent = [line for line in sweep["lines"] if line not in groups]
    if absent:
        text += f"\nNot run: {', '.join(absent)}.\n"
    print(text)
    (RESULTS / f"{name}.md").write_text(
        f"# {name}\n\n{sweep['about']}\n\nInterquartile mean over seeds [95 % bootstrap interval]; times are\n"
        "medians over seeds, of the whole command and to the first evaluation on the way that reaches a return,\n"
        "with the number of seeds that did. A load above 1 tells that other work shared the machine.\n\n"
        f"{text}\n![Greedy return over steps and wall time](results/{name}.png)\n\n"
        f"Command: `python benchmarks/learning {name}`\n"
    )
    README.write_text(with_results(README.read_text()))
    lines = [line for line in sweep["lines"] if line in groups]
    if sweep["figure"] == "bars":
        draw_bars(name, lines, groups)
    else:
        draw_curves(name, lines, curves)


def line_row(line: str, rows: Rows, points: Rows) -> list[str]:
    """Write a line of the table."""

    def median(column: str) -> float:
        return float(np.median([float(row[column]) for row in rows]))

    finals = [float(row["final"]) for row in rows]
    reached = []
    for threshold in THRESHOLDS:
        times = [seconds_to(threshold, [p for p in points if p["seed"] == row["seed"]]) for row in rows]
        known = [t for t in times if t is not None]
        reached.append(f"{np.median(known):.0f} ({len(known)}/{len(rows)})" if known else f"- (0/{len(rows)})")
    return [
        *(line, str(len(rows)), estimate(finals), f"{min(finals):.3f}"),
        *(estimate([float(row["best"]) for row in rows]), f"{median('steps'):,.0f}", f"{median('updates'):,.0f}"),
        *(f"{median('wall_seconds'):.0f}", f"{median('cpu_seconds'):.0f}", f"{median('load'):.1f}", *reached),
    ]


def draw_curves(name: str, lines: list[str], curves: dict[str, Rows]) -> None:
    """Draw mean and range over seeds, against environment steps and against wall time; a row for each task."""
    tasks: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        label, _, task = line.partition(" on ")
        tasks[task].append(label)
    figure = Figure(figsize=(10, 3.2 * max(1, len(tasks))), dpi=120, layout="constrained")
    axes = figure.subplots(max(1, len(tasks)), 2, squeeze=False)
    for pair, (task, labels) in zip(axes, tasks.items(), strict=False):
        for label in labels:
            draw_line(pair, label, curves[f"{label} on {task}" if task else label])
        for axis, unit in zip(pair, ("environment steps", "wall seconds of training"), strict=True):
            axis.set(xlabel=unit, ylabel="greedy return", ylim=(0, 1.02), title=task)
            axis.spines[["top", "right"]].set_visible(False)
        pair[0].legend(frameon=False, fontsize=7)
    figure.savefig(RESULTS / f"{name}.png")


def draw_bars(name: str, lines: list[str], groups: dict[str, Rows]) -> None:
    """Draw every seed's final return, and each line's interquartile mean as a bar."""
    figure = Figure(figsize=(8, 0.6 + 0.24 * len(lines)), dpi=120, layout="constrained")
    axis = figure.subplots()
    finals = [numbers(groups[line], "final") for line in lines]
    axis.barh(lines, [float(interquartile_mean(np.array(values))) for values in finals], color="lightsteelblue")
    for place, values in enumerate(finals):
        axis.plot(values, [place] * len(values), ".", color="navy", markersize=4)
    axis.margins(y=0.01)
    axis.invert_yaxis()
    axis.set(xlabel="greedy return over 1,000 episodes", xlim=(0, 1.02))
    axis.tick_params(labelsize=7)
    axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(RESULTS / f"{name}.png")


def draw_line(axes: Any, label: str, points: Rows) -> None:
    """Draw one line's seeds as a mean curve with their range."""
    seeds = sorted({p["seed"] for p in points})
    runs = [[p for p in points if p["seed"] == seed] for seed in seeds]
    for axis, column in zip(axes, ("steps", "wall_seconds"), strict=True):
        first = max(numbers(run, column)[0] for run in runs)
        most = min(numbers(run, column)[-1] for run in runs)
        grid = np.linspace(first, most, 60)
        values = [np.interp(grid, numbers(run, column), numbers(run, "greedy_return")) for run in runs]
        (drawn,) = axis.plot(grid, np.mean(values, 0), label=label, linewidth=1.4)
        low, high = np.min(values, 0), np.max(values, 0)
        axis.fill_between(grid, low, high, color=drawn.get_color(), alpha=0.15, linewidth=0)


def numbers(rows: Rows, column: str) -> list[float]:
    """Return a column."""
    return [float(row[column]) for row in rows]
