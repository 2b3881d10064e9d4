"""The folder of a run: where it may be, how it is made and removed, and its config.json."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from pyqmix.base.errors import ConfigError
from pyqmix.base.files import write_text
from pyqmix.config import Config

FILES = ("config.json", "metrics.csv", "summary.json", "curve.png", "checkpoints")
EVENTS = "events.out.tfevents.*"


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run.

    Attributes:
        path: where it is.
        made: the folders that did not exist before, of itself and its parents, innermost first.
    """

    path: Path
    made: tuple[Path, ...] = ()

    def discard(self) -> None:
        """Remove the files of a run that never took a step; other files stay."""
        for file in (*self.path.glob(EVENTS), self.path / "metrics.csv", self.path / "config.json"):
            file.unlink(missing_ok=True)
        _remove_empty(self.made)


def create(config: Config) -> RunFolder:
    """Make the folder of a new run and write config.json, in which ``run_dir`` names the folder.

    Raises:
        ConfigError: the folder holds a run already, or cannot be written; nothing is left behind.
    """
    with _writing(config):
        if config.run_dir is not None:
            _refuse_used(Path(config.run_dir))
        folder = _unused(config) if config.run_dir is None else _make(Path(config.run_dir), exist_ok=True)
        try:
            _write_config(folder.path, config)
        except OSError:
            folder.discard()
            raise
    return folder


def save_config(config: Config) -> None:
    """Write the options of a resumed run into the config.json of its ``config.run_dir``.

    Raises:
        ConfigError: the folder cannot be written.
    """
    with _writing(config):
        _write_config(Path(str(config.run_dir)), config)


@contextmanager
def _writing(config: Config) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"run_dir: cannot write {error.filename or config.run_dir}: {error.strerror}") from error


def _refuse_used(folder: Path) -> None:
    if (folder / "config.json").exists():
        raise ConfigError(f"run_dir: {folder} holds a run already: --resume {folder} continues it")
    used = [name for name in FILES if (folder / name).exists()] + [file.name for file in folder.glob(EVENTS)]
    if used:
        raise ConfigError(f"run_dir: {folder} holds {used[0]} already: choose a folder without a run's files")


def _write_config(folder: Path, config: Config) -> None:
    write_text(folder / "config.json", config.replace(run_dir=str(folder)).to_json())


def _make(path: Path, exist_ok: bool) -> RunFolder:
    missing = tuple(folder for folder in (path, *path.parents) if not folder.exists())
    try:
        path.mkdir(parents=True, exist_ok=exist_ok)
    except FileExistsError:
        raise
    except OSError:
        _remove_empty(missing)
        raise
    return RunFolder(path, missing)


def _remove_empty(folders: Iterable[Path]) -> None:
    for folder in folders:
        with suppress(OSError):  # it is not empty, or was never made
            folder.rmdir()


def _unused(config: Config) -> RunFolder:
    name = re.sub(r"[^\w.-]", "_", f"{config.label}-seed{config.seed}")
    for number in count(1):
        with suppress(FileExistsError):
            return _make(Path("runs") / (name if number == 1 else f"{name}-{number}"), exist_ok=False)
    raise AssertionError("unreachable")
