"""The result of a run: summary.json, and the rows of the last lines on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from pyqmix.base.build import build_info, versions
from pyqmix.config import Config
from pyqmix.play.evaluator import Evaluation
from pyqmix.run.columns import clock
from pyqmix.run.display import Display
from pyqmix.run.metrics import Metrics
from pyqmix.run.state import Progress

_WINS = ("eval_win_rate", "eval_win_rate_low", "eval_win_rate_high")


def summarise(
    config: Config,
    device: torch.device,
    threads: int,
    progress: Progress,
    last: Metrics | None,
    wall_seconds: float,
    interrupted: bool,
) -> dict[str, Any]:
    """Build the content of summary.json, with the last evaluation, or None where there was no evaluation.

    ``eval_win_rate`` and the ends of its interval are there only where the environment tells who has won.
    """
    return {
        "env": config.env,
        "task": config.task_name,
        "seed": config.seed,
        "total_steps": progress.steps,
        "episodes": progress.episodes,
        "updates": progress.updates,
        "interrupted": interrupted,
        "wall_seconds": wall_seconds,
        "env_steps_per_second": progress.steps / wall_seconds,
        "updates_per_env_step": progress.updates / max(progress.steps, 1),  # stopped before the first episode
        "eval_return_mean": None if last is None else last.eval_return_mean,
        "eval_return_std": None if last is None else last.eval_return_std,
        **{name: value for name in _WINS if (value := getattr(last, name, None)) is not None},
        "eval_episodes": 0 if last is None else config.eval_episodes,
        "versions": versions(),
        "build_info": build_info(),
        "device": device.type,
        "threads": threads,
    }


def closing_rows(
    summary: dict[str, Any], evaluation: Evaluation | None, history: Sequence[Metrics]
) -> dict[str, str]:
    """Write the results of a run, each with its name.

    Args:
        summary: of :func:`summarise`.
        evaluation: the last one, if this process made it; gives the interval.
        history: all lines of the metrics.
    """
    rows = {}
    if summary["eval_return_mean"] is not None:
        interval = " [{:.3f}, {:.3f}] 95 %".format(*evaluation.interval()) if evaluation else ""
        over = f"over {summary['eval_episodes']} episodes"
        rows["greedy return"] = f"{summary['eval_return_mean']:.3f}{interval} {over}"
    if _WINS[-1] in summary:
        rows["win rate"] = "{:.1f} % [{:.1f}, {:.1f}] 95 %".format(*(100 * summary[name] for name in _WINS))
    returns = {point.steps: point.eval_return_mean for point in history if point.eval_return_mean is not None}
    if returns:
        best = max(returns, key=returns.__getitem__)
        rows["best return"] = f"{returns[best]:.3f} at step {best:,}"
    speed = f"{summary['env_steps_per_second']:,.0f} steps/s with evaluation"
    rows["played"] = f"{summary['episodes']:,} episodes, {speed}"
    if "rollout" in summary:
        rows["on the cluster"] = _on_the_cluster(summary["rollout"], summary["wall_seconds"])
    rows["learned"] = f"{summary['updates']:,} updates, {summary['updates_per_env_step']:.4f} updates/step"
    return rows


def _on_the_cluster(played: dict[str, float], wall_seconds: float) -> str:
    """Write the figures of :meth:`pyqmix.play.cluster.pool.PlayerPool.report`."""
    transport = f"{played['players']} players, transport took {played['transport_seconds'] / wall_seconds:.1%}"
    if not played["player_deaths"]:
        return transport
    return (
        f"{transport}; {played['player_deaths']} died, {played['episodes_played_again']:,} episodes played again"
    )


def say_goodbye(display: Display, folder: str, summary: dict[str, Any], rows: dict[str, str]) -> None:
    """Write the closing lines, in place of the live rows.

    Args:
        display: ends.
        folder: the run's, as the user may name it.
        summary: of :func:`summarise`.
        rows: of :func:`closing_rows`, and others.
    """
    display.end()
    how = "interrupted" if summary["interrupted"] else "done"
    display.message(f"{how}: {summary['total_steps']:,} steps in {clock(summary['wall_seconds'])}")
    display.table(
        {**rows, "files": f"{folder}/  (report.html, summary.json, metrics.csv, curve.png, checkpoints)"}
    )
    if summary["interrupted"]:
        learners = summary.get("learners", 1)
        start = f"torchrun --nproc-per-node {learners} $(which pyqmix-train)" if learners > 1 else "pyqmix-train"
        display.message(f"continue with: {start} --resume {folder}", whole=True)
