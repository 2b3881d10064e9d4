"""Learning curves as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib.figure import Figure

from pyqmix.base.files import replacing
from pyqmix.run.metrics import Metrics


def plot_curves(curves: Sequence[tuple[str, Sequence[Metrics]]], path: Path, title: str = "") -> None:
    """Draw the greedy evaluation return of one or more runs over environment steps.

    Args:
        curves: (label, the run's metrics) for each run.
        path: the PNG file to write.
        title: above the plot.
    """
    with matplotlib.rc_context({"text.usetex": False, "text.parse_math": False}):  # names may have a $
        _draw(curves, path, title)


def _draw(curves: Sequence[tuple[str, Sequence[Metrics]]], path: Path, title: str) -> None:
    figure = Figure(figsize=(7, 4.2), dpi=140, layout="constrained")
    axes = figure.subplots()
    for label, history in curves:
        points = [(m.steps, m.eval_return_mean) for m in history if m.eval_return_mean is not None]
        if points:
            steps, returns = np.array(points, dtype=np.float64).T
            axes.plot(steps, returns, marker="o", markersize=3, linewidth=1.6, label=label)
    axes.set_xlabel("environment steps")
    axes.set_ylabel("greedy evaluation return")
    axes.set_title(title, fontsize=11)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if len(axes.lines) > 1:
        axes.legend(frameon=False, fontsize=8)
    axes.xaxis.set_major_formatter(lambda x, _: f"{x / 1000:g}k" if x >= 1000 else f"{x:g}")
    with replacing(path) as temporary:  # a link in its place is not followed
        figure.savefig(temporary, format="png")
