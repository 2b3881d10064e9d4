"""A run's own learning curve, curve.png in its folder; pyqmix.figures compares runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pyqmix.base.files import replacing
from pyqmix.base.plotting import settings
from pyqmix.run.metrics import Metrics

_LABELS = {"eval_win_rate": "greedy win rate, 95 % interval", "eval_return_mean": "greedy evaluation return"}
_COLOUR = "#0072B2"


def plot_curve(history: Sequence[Metrics], path: Path, title: str = "") -> None:
    """Draw the greedy evaluations of a run over environment steps.

    Args:
        history: the run's metrics. Win rates stand above the returns, with their confidence intervals, in a panel
            that is there if the run has them.
        path: the PNG file to write.
        title: above the plot.
    """
    with settings({"text.usetex": False}):
        figure = draw_curve(history, title)
        with replacing(path) as temporary:  # a link in its place is not followed
            figure.savefig(temporary, format="png")


def draw_curve(history: Sequence[Metrics], title: str = "") -> Figure:
    """Return the figure that :func:`plot_curve` writes."""
    told = any(m.eval_win_rate is not None for m in history)
    names = list(_LABELS) if told else ["eval_return_mean"]
    figure = Figure(figsize=(7, 1.2 + 3 * len(names)), dpi=140, layout="constrained")
    panels = figure.subplots(len(names), sharex=True, squeeze=False)[:, 0]
    for axes, name in zip(panels, names, strict=True):
        _draw(axes, [m for m in history if getattr(m, name) is not None], name)
        axes.set_ylabel(_LABELS[name])
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    if told:
        panels[0].set_ylim(-0.03, 1.03)
    panels[0].set_title(title, fontsize=11, parse_math=False)  # names may have a $
    panels[-1].set_xlabel("environment steps")
    panels[-1].xaxis.set_major_formatter(lambda x, _: f"{x / 1000:g}k" if x >= 1000 else f"{x:g}")
    return figure


def _draw(axes: Axes, points: Sequence[Metrics], name: str) -> None:
    steps = [m.steps for m in points]
    axes.plot(steps, [getattr(m, name) for m in points], color=_COLOUR, marker="o", markersize=3, linewidth=1.6)
    if name == "eval_win_rate":
        ends = np.array([(m.eval_win_rate_low, m.eval_win_rate_high) for m in points], np.float64)
        axes.fill_between(steps, *ends.T, color=_COLOUR, alpha=0.18, linewidth=0)
