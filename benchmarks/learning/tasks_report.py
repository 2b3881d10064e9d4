"""Table and figure of a sweep over tasks, each beside the random policy: returns, or win rates."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from harness import README, RESULTS, table, with_results
from learning.learning_report import Rows, by_line, numbers
from matplotlib.figure import Figure

COLUMNS = 3  # of the figure


def task_of(line: str) -> str:
    """Return the task of a line that is named ``METHOD on TASK``."""
    return line.partition(" on ")[2]


def write_tasks_report(name: str, sweep: dict[str, Any], rows: Rows, points: Rows, random: Rows) -> None:
    """Write ``results/NAME.md`` and ``results/NAME.png``, and print the table."""
    groups = by_line(rows)
    lines = [line for line in sweep["lines"] if line in groups]
    baseline = {row["task"]: float(row["mean"]) for row in random}
    header = [
        "line",
        "seeds",
        _measured(sweep),
        "each seed",
        "random",
        "worst - random",
        "steps",
        "updates",
        "cpu s",
    ]
    text = table(header, [_row(line, groups[line], baseline[task_of(line)]) for line in lines])
    absent = [line for line in sweep["lines"] if line not in groups]
    text += f"\nNot run: {', '.join(absent)}.\n" if absent else ""
    print(text)
    episodes = sweep["final_episodes"]
    (RESULTS / f"{name}.md").write_text(
        f"# {name}\n\n{sweep['about']}\n\nMean over seeds of the {_measured(sweep)} over {episodes} fresh "
        "episodes after training, and that\nof a policy that chooses uniformly among the available actions. "
        "Seconds of one core are\nmedians over seeds, of the whole command.\n\n"
        f"{text}\n![{_measured(sweep).capitalize()} over environment steps](results/{name}.png)\n\n"
        f"Command: `python benchmarks/learning {name}`\n"
    )
    README.write_text(with_results(README.read_text()))
    _draw(name, lines, by_line(points), baseline, _measured(sweep))


def _measured(sweep: dict[str, Any]) -> str:
    return "greedy win rate" if sweep.get("measure") == "win_rate" else "greedy return"


def _row(line: str, rows: Rows, random: float) -> list[str]:
    finals = numbers(rows, "final")
    medians = [f"{np.median(numbers(rows, column)):,.0f}" for column in ("steps", "updates", "cpu_seconds")]
    each = " ".join(f"{value:.2f}" for value in finals)
    return [
        *(line, str(len(rows)), f"{np.mean(finals):.2f}", each, f"{random:.2f}"),
        *(f"{min(finals) - random:+.2f}", *medians),
    ]


def _draw(name: str, lines: list[str], curves: dict[str, Rows], baseline: dict[str, float], measured: str) -> None:
    tasks: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        tasks[task_of(line)].append(line)
    height = -(-len(tasks) // COLUMNS)
    figure = Figure(figsize=(4.2 * COLUMNS, 3.2 * height), dpi=110, layout="constrained")
    axes = figure.subplots(height, COLUMNS, squeeze=False).ravel()
    for axis in axes[len(tasks) :]:
        axis.set_axis_off()
    for axis, (task, of_task) in zip(axes, tasks.items(), strict=False):
        for line in of_task:
            _draw_line(axis, line.partition(" on ")[0], curves[line])
        axis.axhline(baseline[task], color="grey", linestyle="--", linewidth=1, label="random")
        axis.set(title=task, xlabel="environment steps", ylabel=measured)
        axis.title.set_fontsize(9)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, fontsize=7)
    figure.savefig(RESULTS / f"{name}.png")


def _draw_line(axis: Any, label: str, points: Rows) -> None:
    """Draw the mean and the range over seeds."""
    runs = [[p for p in points if p["seed"] == seed] for seed in sorted({p["seed"] for p in points})]
    first, most = (f(numbers(run, "steps")[i] for run in runs) for f, i in ((max, 0), (min, -1)))
    grid = np.linspace(first, most, 60)
    values = [np.interp(grid, numbers(run, "steps"), numbers(run, "greedy_return")) for run in runs]
    (drawn,) = axis.plot(grid, np.mean(values, 0), label=label, linewidth=1.4)
    axis.fill_between(grid, np.min(values, 0), np.max(values, 0), color=drawn.get_color(), alpha=0.15, linewidth=0)
