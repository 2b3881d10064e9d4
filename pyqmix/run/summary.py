"""The result of a run: summary.json, and the last lines on the screen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from pyqmix.base.build import build_info, versions
from pyqmix.config import Config
from pyqmix.play.evaluator import Evaluation
from pyqmix.run.metrics import Metrics
from pyqmix.run.state import Progress

_WINS = ("eval_win_rate", "eval_win_rate_low", "eval_win_rate_high")


def summarise(
    config: Config,
    device: torch.device,
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
        "threads": torch.get_num_threads(),
    }


def goodbye(summary: dict[str, Any], evaluation: Evaluation | None, folder: str) -> Iterator[str]:
    """Write the last lines, with the interval of ``evaluation``, which this process made."""
    how = "interrupted" if summary["interrupted"] else "done"
    yield (
        f"{how}: {summary['total_steps']:,} steps, {summary['episodes']:,} episodes, "
        f"{summary['updates']:,} updates in {summary['wall_seconds']:.0f} s "
        f"({summary['env_steps_per_second']:,.0f} steps/s with evaluation, at "
        f"{summary['updates_per_env_step']:.4f} updates/step)"
    )
    if summary["eval_return_mean"] is not None:
        interval = " [{:.3f}, {:.3f}] 95 %".format(*evaluation.interval()) if evaluation else ""
        yield (
            f"greedy return over {summary['eval_episodes']} episodes: {summary['eval_return_mean']:.3f} "
            f"(std {summary['eval_return_std']:.3f}){interval}"
        )
    if _WINS[-1] in summary:
        yield "win rate: {:.1f} % [{:.1f}, {:.1f}] 95 %".format(*(100 * summary[name] for name in _WINS))
    yield f"files: {folder}/  (summary.json, metrics.csv, curve.png, checkpoints)"
    if summary["interrupted"]:
        yield f"continue with: pyqmix-train --resume {folder}"
