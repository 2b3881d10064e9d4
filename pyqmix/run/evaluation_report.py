"""The results of an evaluation, as text and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyqmix.base.sealed import read_object
from pyqmix.play.evaluator import Evaluation
from pyqmix.run.stored import Stored


def as_text(evaluation: Evaluation, run_dir: Path, checkpoint: Stored, seed: int) -> str:
    """Return lines for people.

    Args:
        evaluation: the results.
        run_dir: the run's folder.
        checkpoint: that has played.
        seed: of the episodes.
    """
    low, high = evaluation.interval()
    lines = [
        f"greedy return over {len(evaluation.returns)} episodes of seed {seed}",
        f"mean {evaluation.mean:.4f}  std {evaluation.std:.4f}  95 % interval [{low:.4f}, {high:.4f}]",
    ]
    if evaluation.win_rate is not None and evaluation.win_rate_interval is not None:
        won, least, most = (100 * rate for rate in (evaluation.win_rate, *evaluation.win_rate_interval))
        lines.append(f"won {won:.1f} %  95 % interval [{least:.1f} %, {most:.1f} %]")
    return "\n".join(lines)


def as_json(evaluation: Evaluation, run_dir: Path, checkpoint: Stored, seed: int) -> str:
    """Return one JSON object for programs: strict JSON, where a number that is not finite is null.

    Its keys: ``run_dir``, ``env``, ``task``, ``checkpoint_steps``, ``seed``, ``episodes``, ``return_mean``,
    ``return_std``, ``return_interval`` (two numbers), ``win_rate``, ``win_rate_interval``, and, with an entry for
    each episode, ``returns``, ``lengths`` and ``won``. Those about wins are null where the environment does not
    tell.

    Args:
        evaluation: the results.
        run_dir: the run's folder.
        checkpoint: that has played.
        seed: of the episodes.
    """
    saved = read_object(run_dir / "config.json")
    values = {
        "run_dir": str(run_dir),
        "env": saved.get("env"),
        "task": saved.get("task"),
        "checkpoint_steps": checkpoint.steps,
        "seed": seed,
        "episodes": len(evaluation.returns),
        "return_mean": _finite(evaluation.mean),
        "return_std": _finite(evaluation.std),
        "return_interval": _each_finite(evaluation.interval()),
        "win_rate": evaluation.win_rate,
        "win_rate_interval": evaluation.win_rate_interval,
        "returns": _each_finite(evaluation.returns.tolist()),
        "lengths": None if evaluation.lengths is None else evaluation.lengths.tolist(),
        "won": None if evaluation.won is None else evaluation.won.tolist(),
    }
    return json.dumps(values, allow_nan=False)


def _each_finite(numbers: Sequence[float]) -> list[Any]:
    return [_finite(number) for number in numbers]


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
