"""The figure of a comparison: for each task a panel over steps and one over wall time; no display is needed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from pyqmix.base.errors import ConfigError
from pyqmix.base.files import AnyPath, replacing
from pyqmix.base.plotting import settings
from pyqmix.base.printable import one_line
from pyqmix.figures.comparison import WIN_RATE, Comparison, arrange
from pyqmix.figures.curves import Curve, over_seconds, over_steps
from pyqmix.figures.statistics import (
    REPETITIONS,
    improvement,
    improvement_interval,
    percentile_interval,
    performance_profile,
    pooled,
    resamples,
)
from pyqmix.figures.stored_run import Run

FORMATS = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
MOST_GROUPS, MOST_TASKS = 28, 40

# Okabe and Ito's colours, which people with any colour vision tell apart; yellow is too faint for a line on white.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_DASHES = ("-", (0, (5, 1.5)), (0, (5, 1.5, 1, 1.5)), (0, (1.2, 1.2)))
_WIDTH, _HEIGHT = 5.5, 1.75  # inches: the text of a page with one column; a row of panels
_STYLE = {
    **{"text.usetex": False, "text.parse_math": False},  # names may have a $
    **{"font.size": 8, "axes.titlesize": 8, "axes.labelsize": 8, "legend.fontsize": 8},
    **{"xtick.labelsize": 7, "ytick.labelsize": 7, "axes.linewidth": 0.6, "lines.linewidth": 1.5},
    **{"xtick.major.width": 0.6, "ytick.major.width": 0.6, "xtick.major.size": 2.5, "ytick.major.size": 2.5},
    **{"axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False},
    **{"axes.grid": True, "grid.alpha": 0.3, "grid.linewidth": 0.5},
    **{"pdf.fonttype": 42, "svg.hashsalt": "pyqmix"},  # fonts that journals accept; the same bytes each time
}


def compare(
    runs: Sequence[Run],
    out: AnyPath,
    *,
    metric: str | None = None,
    labels: Mapping[str, str] | None = None,
    title: str = "",
    profile: bool = False,
    improvements: bool = False,
) -> None:
    """Draw the interquartile means of groups of runs with 95 % intervals, over steps and over wall time.

    Args:
        runs: of any tasks; each task has its own panels.
        out: the file; its suffix, one of :data:`FORMATS`, is the format.
        metric: a column of metrics.csv. Default: the greedy win rate where all runs have one, else the greedy
            return.
        labels: names in place of the groups' own.
        title: above the figure.
        profile: add the performance profile of the final scores.
        improvements: add the probability that a group's run is better than another's.

    Raises:
        ConfigError: no run has a value of the metric, or ``labels`` names no group.
        OSError: the file cannot be written.
    """
    draw(arrange(runs, metric, labels), Path(out), title=title, profile=profile, improvements=improvements)


def draw(
    comparison: Comparison, out: Path, *, title: str = "", profile: bool = False, improvements: bool = False
) -> None:
    """Write the figure of a comparison, as :func:`compare` does."""
    kind = out.suffix.lower()
    with settings(_STYLE):
        figure = _figure(comparison, title, profile, improvements)
        with replacing(out) as temporary:  # a link in its place is not followed
            figure.savefig(temporary, format=kind[1:], dpi=200, metadata=FORMATS[kind])


def _figure(comparison: Comparison, title: str, profile: bool, improvements: bool) -> Figure:
    _require_drawable(comparison, improvements)
    extra = [draw for wanted, draw in ((profile, _draw_profile), (improvements, _draw_improvements)) if wanted]
    per_row = 1 if len(comparison.tasks) <= 3 else 2  # tasks
    rows = -(-len(comparison.tasks) // per_row)
    heights, width = ([rows, 1] if extra else [rows]), _WIDTH * (1 + per_row) / 2
    columns = max(1, min(len(comparison.groups), int(width * 16 // (max(map(len, comparison.groups)) + 8))))
    legend = 0.2 + 0.17 * -(-len(comparison.groups) // columns)  # inches
    figure = Figure((width, legend + _HEIGHT * sum(heights)), layout="constrained")
    parts = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]  # each with own gaps
    panels = parts[0].subplots(rows, 2 * per_row, squeeze=False).reshape(-1, 2)
    for task, pair in zip(comparison.tasks, panels, strict=False):
        _draw_task(comparison, task, *pair)
    for panel in panels[len(comparison.tasks) :].ravel():
        panel.set_axis_off()
    below = parts[-1].subplots(1, len(extra), squeeze=False)[0] if extra else []
    for draw_extra, panel in zip(extra, below, strict=True):
        draw_extra(comparison, panel)
    if title:
        figure.suptitle(title, fontsize=9)
    lines = [Line2D([], [], label=group, **_look(comparison, group)) for group in comparison.groups]
    figure.legend(handles=lines, loc="outside lower center", ncols=columns, handlelength=2.6)
    return figure


def _require_drawable(comparison: Comparison, improvements: bool) -> None:
    counts = (("groups", comparison.groups, MOST_GROUPS), ("tasks", comparison.tasks, MOST_TASKS))
    for name, found, most in counts:
        if len(found) > most:
            few = ", ".join(found[:3])
            raise ConfigError(f"expected at most {most} {name} in a figure, got {len(found)}: {few}, …")
    if improvements and len(comparison.groups) < 2:
        raise ConfigError(f"improvement: expected at least two groups, got {comparison.groups[0]!r} alone")


def _look(comparison: Comparison, group: str) -> dict[str, Any]:
    """Return colour and dashes of a group: no two groups of a figure have both in common."""
    number = comparison.groups.index(group)
    return {"color": _COLOURS[number % len(_COLOURS)], "linestyle": _DASHES[number % len(_DASHES)]}


def _draw_task(comparison: Comparison, task: str, left: Axes, right: Axes) -> None:
    found = {group: series for group in comparison.groups if (series := comparison.series.get((task, group)))}
    over_time = {group: over_seconds(series) for group, series in found.items()}
    unit, seconds = _unit(max(curve.x[-1] for curve in over_time.values()))
    for group, series in found.items():
        _draw_curve(left, over_steps(series), _look(comparison, group))
        in_units = replace(over_time[group], x=over_time[group].x / seconds)
        _draw_curve(right, in_units, _look(comparison, group))
    left.set(xlabel="environment steps", ylabel=comparison.measure)
    right.set(xlabel=f"wall time ({unit})")
    left.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _steps(x)))
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(5))
    left.set_title(task, loc="left")
    if comparison.metric == WIN_RATE:
        left.set_ylim(-0.03, 1.03)
    right.sharey(left)
    right.tick_params(labelleft=False)


def _draw_curve(axes: Axes, curve: Curve, look: Mapping[str, Any]) -> None:
    axes.plot(curve.x, curve.centre, **look)
    if curve.low is not None and curve.high is not None:
        axes.fill_between(curve.x, curve.low, curve.high, color=look["color"], alpha=0.18, linewidth=0)


def _draw_profile(comparison: Comparison, axes: Axes) -> None:
    """Draw the share of runs whose final score is above a threshold."""
    scores = {group: comparison.scores(group) for group in comparison.groups}
    every = np.concatenate([task for of_group in scores.values() for task in of_group])
    margin = 0.02 * float(np.ptp(every) or 1.0)
    thresholds = np.linspace(every.min() - margin, every.max() + margin, 201)
    for group, of_group in scores.items():
        profile = performance_profile(pooled(of_group), thresholds)
        drawn = resamples([task.size for task in of_group], REPETITIONS, np.random.RandomState(0))
        low, high = percentile_interval(performance_profile(pooled(of_group, drawn), thresholds))
        _draw_curve(axes, Curve(thresholds, profile, low, high), _look(comparison, group))
    measure = f"{'normalised ' if comparison.is_normalised else ''}{comparison.measure}"
    axes.set(xlabel=f"final {measure} τ", ylabel="share of runs above τ", ylim=(-0.03, 1.03))
    axes.set_title(f"performance profile{_of_tasks(comparison)}", loc="left")


def _draw_improvements(comparison: Comparison, axes: Axes) -> None:
    """Draw the probability that a run of one group ends better than a run of another."""
    scores = {group: comparison.scores(group) for group in comparison.groups}
    pairs = list(_pairs(comparison.groups))
    for place, (ours, other) in enumerate(pairs):
        centre = float(improvement(scores[ours], scores[other]))
        low, high = improvement_interval(scores[ours], scores[other], np.random.RandomState(0))
        colour = _look(comparison, ours)["color"]
        axes.barh(place, high - low, left=low, height=0.5, color=colour, alpha=0.25, linewidth=0)
        axes.plot([centre, centre], [place - 0.25, place + 0.25], color=colour)
    axes.axvline(0.5, color="0.4", linewidth=0.8, linestyle=(0, (3, 2)))
    axes.set_yticks(range(len(pairs)), [" > ".join(one_line(group, 14) for group in pair) for pair in pairs])
    middle, half = (len(pairs) - 1) / 2, max(len(pairs), 3) / 2 + 0.1
    axes.set(
        xlim=(-0.02, 1.02), ylim=(middle + half, middle - half), xlabel="probability that the first is better"
    )
    axes.grid(axis="y", visible=False)
    axes.set_title(f"probability of improvement{_of_tasks(comparison)}", loc="left")


def _of_tasks(comparison: Comparison) -> str:
    """Tell of how many tasks something is, where groups lack some."""
    shared, every = len(comparison.shared_tasks), len(comparison.tasks)
    return "" if shared == every else f", {shared} of {every} tasks"


def _pairs(groups: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Pair all groups with each other; more than four only with the first one."""
    return itertools.combinations(groups, 2) if len(groups) <= 4 else ((groups[0], x) for x in groups[1:])


def _unit(longest: float) -> tuple[str, int]:
    """Return the unit of wall times, and its seconds, for at least three of it."""
    return next(
        (name, size) for name, size in (("h", 3600), ("min", 60), ("s", 1)) if longest >= 3 * size or size == 1
    )


def _steps(x: float) -> str:
    return f"{x / 1e6:g}M" if x >= 1e6 else f"{x / 1e3:g}k" if x >= 1e3 else f"{x:g}"
