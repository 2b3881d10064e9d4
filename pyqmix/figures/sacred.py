"""Runs of EPyMARL and PyMARL, which sacred's FileStorageObserver has written.

Such a folder has config.json, run.json, and metrics.json: ``steps``, ``values`` and ``timestamps`` by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pyqmix.base.errors import ConfigError
from pyqmix.base.untrusted import read_json
from pyqmix.run.metrics import Metrics

METRICS, RUN = "metrics.json", "run.json"
_NAMES = {
    "test_return_mean": "eval_return_mean",
    "test_return_std": "eval_return_std",
    "test_battle_won_mean": "eval_win_rate",
}
_FAMILIES = {"lbforaging": "lbf", "rware": "rware"}  # by the prefix of a Gymnasium task


def is_sacred(folder: Path) -> bool:
    """Whether a folder is one of sacred's."""
    return (folder / METRICS).is_file() and (folder / RUN).is_file()


def read_sacred(folder: Path) -> tuple[dict[str, Any], list[Metrics]]:
    """Return the options of a run, with ``env`` and ``task`` as pyqmix names them, and its greedy evaluations.

    Raises:
        ConfigError: a file is damaged, or is none of sacred's; the message names it.
    """
    options = _object(folder / "config.json", "the options of a run")
    began = _object(folder / RUN, "a run of sacred").get("start_time")
    series = _object(folder / METRICS, "the metrics of a run")
    try:
        return {**options, **_task(options)}, _metrics(series, None if began is None else _seconds(began))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ConfigError(f"{folder / METRICS}: expected sacred's metrics of a run, but {error!r}") from error


def _object(path: Path, content: str) -> dict[str, Any]:
    value = read_json(path, content=content)
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: expected {content}, got {type(value).__name__}")
    return value


def _task(options: Mapping[str, Any]) -> dict[str, Any]:
    """Translate ``gymma`` with a key, and ``sc2`` with a map."""
    arguments = options.get("env_args")
    arguments = arguments if isinstance(arguments, dict) else {}
    env, task = options.get("env"), arguments.get("key") or arguments.get("map_name")
    if env in ("sc2", "sc2_v2"):
        return {"env": "smac", "task": task}
    if env in ("gymma", "gymma_ds") and isinstance(task, str):
        prefix, _, name = task.rpartition(":")
        return {"env": _FAMILIES.get(prefix, "gymnasium"), "task": name if prefix in _FAMILIES else task}
    return {"env": env, "task": task}


def _metrics(series: Mapping[str, Any], began: float | None) -> list[Metrics]:
    values: dict[int, dict[str, float]] = {}
    seconds: dict[int, float] = {}
    for name, of in _NAMES.items():
        if name not in series:
            continue
        found = series[name]
        for step, value, stamp in zip(found["steps"], found["values"], found["timestamps"], strict=True):
            values.setdefault(int(step), {})[of] = _number(value)
            seconds[int(step)] = _seconds(stamp)
    first = min(seconds.values(), default=0.0) if began is None else began
    return [
        Metrics(steps=step, episodes=0, updates=0, epsilon=0.0, wall_seconds=seconds[step] - first, **values[step])
        for step in sorted(values)
    ]


def _number(value: Any) -> float:
    return float(value["value"] if isinstance(value, dict) else value)  # a NumPy number, as sacred writes it


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp.removesuffix("Z")).replace(tzinfo=timezone.utc).timestamp()
