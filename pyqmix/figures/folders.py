"""Finds the folders of runs, by the names of their files alone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from pyqmix.base.errors import ConfigError
from pyqmix.figures.sacred import METRICS as SACRED_METRICS
from pyqmix.figures.sacred import RUN as SACRED_RUN
from pyqmix.run.lock import FILE as LOCK

CONFIG, METRICS, CHECKPOINTS = "config.json", "metrics.csv", "checkpoints"
_OF_RUNS = (METRICS, CHECKPOINTS, LOCK)  # one of them lies beside the config.json of a run


def find_runs(top: Path, sacred: bool = False) -> Iterator[Path]:
    """Give the folders of runs at and below a folder, sorted, numbers by their value; links are not followed.

    Runs inside the folder of a run are not looked for. Folders that disappear meanwhile are left out.

    Args:
        top: where to begin; a link here is followed.
        sacred: whether to give runs of EPyMARL, too.

    Raises:
        ConfigError: it is no folder, or one below it cannot be read.
    """

    def fail(error: OSError) -> None:
        if isinstance(error, FileNotFoundError) and error.filename != str(top):
            return
        raise ConfigError(f"{error.filename}: cannot list the folder: {error.strerror}") from error

    for folder, inner, files in os.walk(str(top), onerror=fail):
        names = {*inner, *files}
        if _is_run(names) or (sacred and {CONFIG, SACRED_METRICS, SACRED_RUN} <= names):
            inner.clear()
            yield Path(folder)
        inner.sort(key=natural)


def require_runs(top: Path) -> list[Path]:
    """Return the folders of :func:`find_runs`, those of EPyMARL too.

    Raises:
        ConfigError: there is none, or a folder cannot be read.
    """
    if not (found := list(find_runs(top, sacred=True)) if top.is_dir() else []):
        raise ConfigError(f"{top}: expected the folder of a run, or one with runs below it")
    return found


def natural(name: str) -> list[tuple[bool, int, str]]:
    """Return a key that sorts names with numbers by their value: ``seed=2`` before ``seed=10``."""
    parts = re.split(r"(\d+)", name)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def _is_run(names: set[str]) -> bool:
    if CONFIG in names:
        return not names.isdisjoint(_OF_RUNS)
    return {METRICS, CHECKPOINTS} <= names  # a broken one
