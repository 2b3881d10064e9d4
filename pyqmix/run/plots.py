"""Learning curves as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pyqmix.base.files import replacing
from pyqmix.run.metrics import Metrics

_LABELS = {"eval_win_rate": "greedy win rate, 95 % interval", "eval_return_mean": "greedy evaluation return"}


def plot_curves(curves: Sequence[tuple[str, Sequence[Metrics]]], path: Path, title: str = "") -> None:
    """Draw the greedy evaluations of one or more runs over environment steps.

    Args:
        curves: (label, the run's metrics) for each run. All returns share a panel. Win rates stand above it, with
            their confidence intervals, in a panel that is there if any run has them.
        path: the PNG file to write.
        title: above the plot.
    """
    with matplotlib.rc_context({"text.usetex": False, "text.parse_math": False}):  # names may have a $
        _save(draw_curves(curves, title), path)


def draw_curves(curves: Sequence[tuple[str, Sequence[Metrics]]], title: str = "") -> Figure:
    """Return the figure that :func:`plot_curves` writes."""
    told = any(m.eval_win_rate is not None for _, history in curves for m in history)
    names = list(_LABELS) if told else ["eval_return_mean"]
    figure = Figure(figsize=(7, 1.2 + 3 * len(names)), dpi=140, layout="constrained")
    panels = figure.subplots(len(names), sharex=True, squeeze=False)[:, 0]
    for axes, name in zip(panels, names, strict=True):
        for k, (label, history) in enumerate(curves):
            _curve(axes, history, name, label, f"C{k}")
        axes.set_ylabel(_LABELS[name])
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    if told:
        panels[0].set_ylim(-0.03, 1.03)
    panels[0].set_title(title, fontsize=11)
    panels[-1].set_xlabel("environment steps")
    panels[-1].xaxis.set_major_formatter(lambda x, _: f"{x / 1000:g}k" if x >= 1000 else f"{x:g}")
    if len(panels[-1].lines) > 1:
        panels[-1].legend(frameon=False, fontsize=8)
    return figure


def _curve(axes: Axes, history: Sequence[Metrics], name: str, label: str, colour: str) -> None:
    points = [m for m in history if getattr(m, name) is not None]
    if not points:
        return
    steps = [m.steps for m in points]
    values = [getattr(m, name) for m in points]
    axes.plot(steps, values, color=colour, marker="o", markersize=3, linewidth=1.6, label=label)
    if name == "eval_win_rate":
        ends = np.array([(m.eval_win_rate_low, m.eval_win_rate_high) for m in points], np.float64)
        axes.fill_between(steps, *ends.T, color=colour, alpha=0.18, linewidth=0)


def _save(figure: Figure, path: Path) -> None:
    with replacing(path) as temporary:  # a link in its place is not followed
        figure.savefig(temporary, format="png")
