"""A run, read from the files of its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyqmix.base.errors import ConfigError
from pyqmix.base.files import AnyPath
from pyqmix.base.printable import one_line
from pyqmix.base.sealed import read_object
from pyqmix.base.untrusted import read_json
from pyqmix.figures.folders import CONFIG, METRICS
from pyqmix.figures.sacred import is_sacred, read_sacred
from pyqmix.run.metrics import Metrics, read_metrics

SUMMARY = "summary.json"


@dataclass(frozen=True)
class Run:
    """A run as data.

    Attributes:
        folder: it lies here.
        options: the content of its config.json, unchecked; a run of an older version may lack some.
        metrics: the lines of its metrics.csv; none where the run has not written one yet.
        summary: the content of its summary.json; None where the run has not ended.
        source: the program that trained it: pyqmix, or EPyMARL with sacred's files.
        variant: the name of its options in its sweep, or nothing; no file of the run has it.
    """

    folder: Path
    options: dict[str, Any]
    metrics: list[Metrics]
    summary: dict[str, Any] | None
    source: str = "pyqmix"
    variant: str = ""

    @property
    def task(self) -> str:
        """Environment and task, as people read them."""
        names = (self.options.get("env"), self.options.get("task"))
        return one_line(" ".join(str(name) for name in names if name is not None))


def read_run(folder: AnyPath) -> Run:
    """Read a run's options, metrics and summary. Nothing is imported by a name in them.

    The run may be going on: its metrics are read up to the last whole line. A folder of sacred's, which EPyMARL
    writes, is read too: its metrics are the greedy evaluations.

    Args:
        folder: the run's.

    Raises:
        ConfigError: the folder is no run's, or a file in it is damaged; the message names it.
    """
    folder = Path(folder)
    if is_sacred(folder):
        return Run(folder, *read_sacred(folder), None, "EPyMARL")
    options = read_object(folder / CONFIG)
    metrics = read_metrics(folder) if (folder / METRICS).exists() else []
    return Run(folder, options, metrics, _summary(folder / SUMMARY))


def _summary(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    summary = read_json(path, content="the summary of a run")
    if not isinstance(summary, dict):
        raise ConfigError(f"{path}: expected the summary of a run, got {type(summary).__name__}")
    return summary
