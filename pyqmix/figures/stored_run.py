"""A run, read from the files of its folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyqmix.base.errors import ConfigError
from pyqmix.base.sealed import read_object
from pyqmix.base.untrusted import read_json
from pyqmix.run.metrics import Metrics, read_metrics

CONFIG, METRICS, SUMMARY = "config.json", "metrics.csv", "summary.json"


@dataclass(frozen=True)
class Run:
    """A run as data.

    Attributes:
        folder: it lies here.
        options: the content of its config.json, unchecked; a run of an older version may lack some.
        metrics: the lines of its metrics.csv; none where the run has not written one yet.
        summary: the content of its summary.json; None where the run has not ended.
    """

    folder: Path
    options: dict[str, Any]
    metrics: list[Metrics]
    summary: dict[str, Any] | None


def read_run(folder: Path) -> Run:
    """Read a run's options, metrics and summary. Nothing is imported by a name in them.

    The run may be going on: its metrics are read up to the last whole line.

    Args:
        folder: the run's.

    Raises:
        ConfigError: the folder is no run's, or a file in it is damaged; the message names it.
    """
    options = read_object(folder / CONFIG)
    metrics = read_metrics(folder) if (folder / METRICS).exists() else []
    return Run(folder, options, metrics, _summary(folder / SUMMARY))


def is_run(folder: Path) -> bool:
    """Whether a folder looks like a run's."""
    return (folder / CONFIG).is_file()


def find_runs(folders: Sequence[Path]) -> list[Path]:
    """Replace each folder that is not a run's by the runs below it, in the order of their paths.

    Raises:
        ConfigError: a folder is absent, or holds no run.
    """
    found: list[Path] = []
    for folder in folders:
        below = [folder] if is_run(folder) else sorted(path.parent for path in folder.rglob(CONFIG))
        if not below:
            raise ConfigError(f"{folder}: expected the folder of a run, or one with runs below it")
        found += [path for path in below if path not in found]
    return found


def _summary(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    summary = read_json(path, content="the summary of a run")
    if not isinstance(summary, dict):
        raise ConfigError(f"{path}: expected the summary of a run, got {type(summary).__name__}")
    return summary
