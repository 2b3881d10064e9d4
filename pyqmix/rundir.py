"""The folder of a run: who may write where, and the files of its beginning and end."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

from pyqmix.config import Config
from pyqmix.errors import ConfigError


def create(config: Config) -> Path:
    """Make the folder of a new run and write config.json, which ends up holding its name.

    Raises:
        ConfigError: the folder holds a run already, or cannot be written.
    """
    try:
        if config.run_dir is None:
            folder = _unused(config)
        else:
            folder = Path(config.run_dir)
            folder.mkdir(parents=True, exist_ok=True)
            if (folder / "config.json").exists():
                raise ConfigError(f"run_dir: {folder} holds a run already: --resume {folder} continues it")
        write_text(folder / "config.json", config.replace(run_dir=str(folder)).to_json())
    except OSError as error:
        raise ConfigError(f"run_dir: cannot write {error.filename or config.run_dir}: {error.strerror}") from error
    return folder


def discard(folder: Path) -> None:
    """Remove what a run wrote that never took a step; files of others stay, and so does their folder."""
    for file in (*folder.glob("events.out.tfevents.*"), folder / "metrics.csv", folder / "config.json"):
        file.unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file whole or not at all."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def _unused(config: Config) -> Path:
    name = "-".join(filter(None, [config.env, config.task, config.mixer, f"seed{config.seed}"]))
    name = name.replace("/", "_").replace(":", "_")
    for number in count(1):
        folder = Path("runs") / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise AssertionError("unreachable")
