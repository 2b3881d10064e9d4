"""The folder of a run: where it may be, how it is made, locked and removed, and its config.json."""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from pyqmix.base.errors import ConfigError
from pyqmix.base.files import flush, remove_unfinished, write_text
from pyqmix.base.untrusted import require_folder
from pyqmix.config import Config
from pyqmix.run import checkpoint, events, external, report
from pyqmix.run.lock import RunLock

LEARNERS = "learners"  # where the folders of all learners but the first lie
FILES = (
    "config.json",
    "metrics.csv",
    "summary.json",
    "curve.png",
    report.NAME,
    external.NAME,
    checkpoint.FOLDER,
    LEARNERS,
)


@dataclass
class RunFolder:
    """The folder of a run, which this program alone writes from now until :meth:`release`.

    Attributes:
        path: where it is, absolute.
        name: the path as the user gave it.
        made: the folders that did not exist before, of itself and its parents, innermost first.
        lock: keeps other programs from writing it.
        resumed: whether a run lies in it already, which goes on.
        keep: whether it has what cannot be had again by another start.
        follows: whether it is of another learner than the first, and has checkpoints alone.
    """

    path: Path
    name: str
    made: tuple[Path, ...]
    lock: RunLock
    resumed: bool = False
    keep: bool = False
    follows: bool = False

    @property
    def is_in_place(self) -> bool:
        """Whether the folder is still the one that was opened: nobody has removed, moved or emptied it."""
        files = (self.path / "config.json").is_file() and (self.path / checkpoint.FOLDER).is_dir()
        return files and self.lock.holds()

    def require_in_place(self) -> None:
        """Require that nobody has removed or moved the folder.

        Raises:
            OSError: somebody has.
        """
        if not self.is_in_place:
            raise FileNotFoundError(errno.ENOENT, "the run's folder was removed or moved", self.name)

    def make_again(self) -> None:
        """Make the folder once more where it was, after somebody has removed or moved it.

        Where another run lies there now, or another program is writing, it gets the next free name: ``NAME-2``.

        Raises:
            OSError: it cannot be made.
            ConfigError: it cannot be locked.
        """
        self.lock.release()
        given = Path(self.name) if Path(self.name).name else self.path  # "." has no name
        for each in _numbered(given.name):
            path, name = self.path.with_name(each), self.name if each == given.name else str(given.with_name(each))
            with suppress(FileExistsError):  # something other than a folder
                made = _make(path, exist_ok=True)
                try:
                    self.lock = _claim(path, name, made)
                except ConfigError:
                    if made:
                        raise
                else:
                    self.path, self.name, self.made = path, name, made
                    return

    def write_config(self, config: Config) -> None:
        """Write config.json, in which ``run_dir`` names the folder.

        Raises:
            ConfigError: it cannot be written.
        """
        with _writing(self.name):
            write_text(self.path / "config.json", config.replace(run_dir=self.name).to_json())

    def discard(self) -> None:
        """Remove the files of a run that never took a step; other files stay."""
        for name in ("metrics.csv", events.NAME, external.NAME, "config.json"):
            (self.path / name).unlink(missing_ok=True)
        for name in (checkpoint.FOLDER, LEARNERS):
            with suppress(OSError):
                (self.path / name).rmdir()
        self.release()
        _remove_empty(self.made)

    def release(self) -> None:
        """Let others write the folder."""
        self.lock.release()


def create(config: Config) -> RunFolder:
    """Make the folder of a new run, whose files are not there yet.

    Raises:
        ConfigError: the folder holds a run already, another program is writing it, or it cannot be written;
            nothing is left behind.
    """
    given = _absolute(config.run_dir or ".")
    with _writing(config.run_dir):
        if config.run_dir is None:
            name, path, made = _unused(config)
        else:
            name, path = config.run_dir, given
            made = _make(path, exist_ok=True)
    return RunFolder(path, name, made, _claim(path, name, made))


def follow(config: Config, first: str, made: tuple[Path, ...], rank: int) -> RunFolder:
    """Make or open the folder of another learner than the first.

    Args:
        config: the run's options.
        first: the first learner's folder, in which it lies.
        made: the folders that did not exist before the first learner's, which :meth:`RunFolder.discard` removes.
        rank: the learner's.

    Raises:
        ConfigError: another program is writing it, or it cannot be written.
    """
    name = str(Path(first) / LEARNERS / str(rank))
    if (Path(name) / "config.json").is_file():
        opened = reopen(name)
    else:
        opened = create(config.replace(run_dir=name))
        opened.made = (*opened.made, *made)
    opened.follows = True
    return opened


def _absolute(run_dir: str) -> Path:
    """Return the whole path, as an environment may change the current folder.

    Raises:
        ConfigError: it is not UTF-8; a run's files and other libraries cannot name such a path.
    """
    path = Path(run_dir).absolute()
    if any("\ud800" <= each <= "\udfff" for each in str(path)):
        reading = sys.getfilesystemencoding()
        why = "" if reading == "utf-8" else f", which Python reads as {reading} here: set PYTHONUTF8=1"
        raise ConfigError(f"run_dir: expected a path of UTF-8, got {str(path)!r}{why}")
    return path


def reopen(run_dir: str) -> RunFolder:
    """Open the folder of a run that goes on.

    Raises:
        ConfigError: it is no run's, or another program is writing it.
    """
    path = _absolute(run_dir)
    if not (path / "config.json").is_file():
        raise ConfigError(f"run_dir: {run_dir}: expected the folder of a run, but it has no config.json")
    if (path / checkpoint.FOLDER).is_symlink():
        require_folder(path / checkpoint.FOLDER)
    lock = RunLock(path)
    try:
        with _writing(run_dir):
            for file in FILES:
                remove_unfinished(path / file)
    except BaseException:
        lock.release()
        raise
    return RunFolder(path, run_dir, (), lock, resumed=True, keep=True)


@contextmanager
def _writing(run_dir: str | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise ConfigError(f"run_dir: cannot write {error.filename or run_dir}: {error.strerror}") from error


def _claim(path: Path, name: str, made: tuple[Path, ...]) -> RunLock:
    """Lock the folder of a new run; remove the folders that were made for it where that fails.

    Raises:
        ConfigError: another program is writing it, it cannot be locked, or it holds a run's files.
    """
    try:
        lock = RunLock(path)
        try:
            _refuse_used(path, name)
        except BaseException:
            lock.release()
            raise
    except BaseException:
        _remove_empty(made)
        raise
    return lock


def _refuse_used(path: Path, name: str) -> None:
    if (path / "config.json").exists():
        raise ConfigError(f"run_dir: {name} holds a run already: --resume {name} continues it")
    used = [file for file in FILES if (path / file).exists()] + [file.name for file in path.glob(events.ANY)]
    if used:
        raise ConfigError(f"run_dir: {name} holds {used[0]} already: choose a folder without a run's files")


def _make(path: Path, exist_ok: bool) -> tuple[Path, ...]:
    """Make a folder with its parents, on the disk; return those that did not exist, innermost first."""
    missing = tuple(folder for folder in (path, *path.parents) if not folder.exists())
    try:
        path.mkdir(parents=True, exist_ok=exist_ok)
        for folder in missing:
            with suppress(PermissionError):  # a folder whose names may not be read
                flush(folder.parent)
    except FileExistsError:
        raise
    except OSError:
        _remove_empty(missing)
        raise
    return missing


def _remove_empty(folders: Iterable[Path]) -> None:
    for folder in folders:
        with suppress(OSError):  # it is not empty, or was never made
            folder.rmdir()


def _unused(config: Config) -> tuple[str, Path, tuple[Path, ...]]:
    for name in _numbered(re.sub(r"[^\w.-]", "_", f"{config.label}-seed{config.seed}")):
        with suppress(FileExistsError):
            path = Path("runs") / name
            return str(path), path.absolute(), _make(path.absolute(), exist_ok=False)
    raise AssertionError("unreachable")


def _numbered(name: str) -> Iterator[str]:
    """Give ``name``, ``name-2``, ``name-3`` and so on."""
    yield name
    for number in count(2):
        yield f"{name}-{number}"
