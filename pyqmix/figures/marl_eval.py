"""The JSON of marl-eval (Gorsane et al. 2022, arXiv:2209.10485), in which BenchMARL and Mava report results, too.

Environment, task, algorithm, seed: ``step_k`` has ``step_count``, ``elapsed_time`` in seconds, and a list for each
metric; ``absolute_metrics`` has the metrics alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyqmix.base.files import write_json
from pyqmix.base.printable import one_line
from pyqmix.figures.comparison import RETURN, WIN_RATE, Comparison
from pyqmix.figures.curves import Series
from pyqmix.figures.stored_run import Run

_NAMES = {RETURN: "return", WIN_RATE: "win_rate"}


def write_marl_eval(comparison: Comparison, path: Path) -> None:
    """Write the greedy evaluations of a comparison's runs, each evaluation's mean as a list of one number.

    ``absolute_metrics`` are those of the evaluation with the best return (of a run without returns, the last one):
    a run does not repeat that evaluation over ten times the episodes, as the paper proposes.
    """
    content: dict[str, Any] = {}
    for (_, group), of_group in comparison.series.items():
        for series in of_group:
            env, task = _names(series.run)
            seeds = content.setdefault(env, {}).setdefault(task, {}).setdefault(group, {})
            seeds[_free_name(f"seed_{series.run.options.get('seed', 0)}", seeds)] = _seed(series.run, comparison)
    write_json(path, content)


def _names(run: Run) -> tuple[str, str]:
    env, task = run.options.get("env"), run.options.get("task")
    return one_line(str(env)), one_line(str(env if task is None else task))


def _free_name(name: str, taken: dict[str, Any]) -> str:
    """Number further runs of a seed: ``seed_1``, ``seed_1_2``."""
    count = sum(each == name or each.startswith(f"{name}_") for each in taken)
    return name if not count else f"{name}_{count + 1}"


def _seed(run: Run, comparison: Comparison) -> dict[str, Any]:
    metrics = {**_NAMES, comparison.metric: _NAMES.get(comparison.metric, comparison.metric)}
    columns = {name: found for column, name in metrics.items() if (found := Series.of(run, column)) is not None}
    steps: dict[float, dict[str, Any]] = {}
    for name, series in columns.items():
        for step, seconds, value in zip(series.steps, series.seconds, series.values, strict=True):
            entry = steps.setdefault(step, {"step_count": int(step), "elapsed_time": float(seconds)})
            entry[name] = [float(value)]
    ordered = [steps[step] for step in sorted(steps)]
    best = max(ordered, key=lambda entry: entry.get("return", [float("-inf")])[0])
    best = best if "return" in best else ordered[-1]
    absolute = {name: value for name, value in best.items() if name not in ("step_count", "elapsed_time")}
    return {**{f"step_{k}": entry for k, entry in enumerate(ordered)}, "absolute_metrics": absolute}
