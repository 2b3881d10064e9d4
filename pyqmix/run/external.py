"""The loggers of a run: which lines each has had, and under which id it knows the run.

loggers.json in the run's folder has both, so that a resumed run goes on in the same place and sends no line twice.
"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pyqmix.base.errors import ConfigError
from pyqmix.base.files import write_json
from pyqmix.base.untrusted import read_json
from pyqmix.config import Config
from pyqmix.envs.importing import first_line
from pyqmix.loggers import LOGGERS, LoggedRun, Logger, Status
from pyqmix.run.feed import Feed
from pyqmix.run.metrics import COLUMNS, Metrics, read_metrics

NAME = "loggers.json"
SECONDS = 60.0  # that a logger has to end
_SOON = 2.0  # after these, the user is told that the run waits
_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")


@dataclasses.dataclass
class _Entry:
    """What loggers.json has of a logger.

    Attributes:
        id: under which it knows the run.
        step: the last one that it has taken.
        open: whether the run that wrote this goes on, or was killed. Then the logger may have taken more, up to
            the last line of metrics.csv.
    """

    id: str | None = None
    step: int = -1
    open: bool = False


class ExternalLogs:
    """The loggers that a run's option names. One that fails is dropped, and named once.

    Made before metrics.csv is cut back to the lines of a checkpoint, which it reads.

    Args:
        run_dir: the run's folder.
        config: its options.
        resumed: whether the run goes on; then a logger that cannot start is dropped, too.
        history: the lines of a resumed run, of which each logger gets those that it lacks.
        say: tells the user a line.

    Raises:
        ConfigError: a logger is not installed, or cannot start a new run.
        OSError: loggers.json cannot be written.
    """

    def __init__(
        self, run_dir: Path, config: Config, resumed: bool, history: Sequence[Metrics], say: Callable[[str], None]
    ) -> None:
        self._say = say
        self._feeds: dict[str, Feed] = {}
        self._entries = _read(run_dir, say) if config.loggers or resumed else {}
        try:
            for name in config.loggers:
                self._start(name, run_dir.name, config, resumed)
            self.save(run_dir)
            for metrics in history:
                self.write(metrics)
        except BaseException:
            self._end("failed", 0.0)
            raise

    def write(self, metrics: Metrics) -> None:
        """Queue a line for every logger."""
        self._drop_failed()
        values = {name: getattr(metrics, name) for name in COLUMNS if name != "steps"}
        known = {name: float(value) for name, value in values.items() if value is not None}
        for feed in self._feeds.values():
            feed.put(metrics.steps, known)

    def save(self, run_dir: Path) -> None:
        """Write loggers.json, if there is something to write."""
        if self._entries:
            write_json(run_dir / NAME, {name: vars(entry) for name, entry in self._entries.items()})

    def close(self, run_dir: Path, status: Status) -> None:
        """End all loggers; one that takes too long is left to itself.

        Raises:
            OSError: loggers.json cannot be written.
        """
        self._end(status, SECONDS)
        self.save(run_dir)

    def _start(self, name: str, run_name: str, config: Config, resumed: bool) -> None:
        entry = self._entries.setdefault(name, _Entry())
        options = {option: value for option, value in dataclasses.asdict(config).items() if option != "loggers"}
        try:
            logger: Logger = LOGGERS[name](LoggedRun(run_name, options, entry.id))
            entry.id, where = _require_id(logger.id), logger.where
        except ConfigError:
            raise
        except (Exception, SystemExit) as error:  # a tool may raise anything
            if not resumed:
                raise ConfigError(f"loggers: {name} cannot start: {_reason(error)}") from error
            self._say(f"logger {name} cannot start, and gets nothing of this run: {_reason(error)}")
            return
        self._feeds[name] = Feed(name, logger, entry.step)
        entry.open = True
        self._say(f"logger {name}: {where}")

    def _drop_failed(self) -> None:
        for name, feed in list(self._feeds.items()):
            if feed.error is not None:
                self._say(f"logger {name} failed, and gets nothing more of this run: {_reason(feed.error)}")
                self._drop(name)

    def _drop(self, name: str) -> None:
        entry, feed = self._entries[name], self._feeds.pop(name)
        entry.step, entry.open = feed.step, False

    def _end(self, status: Status, seconds: float) -> None:
        for feed in self._feeds.values():
            feed.end(status)
        until, told = time.monotonic() + seconds, False
        for name, feed in list(self._feeds.items()):
            ended = feed.wait(min(_SOON, seconds))
            if not ended and seconds > 0 and not told:
                told = True
                self._say(f"waiting up to {seconds:.0f} s for logger {name}")
            if ended or feed.wait(max(0.0, until - time.monotonic())):
                self._drop_failed()
            elif seconds > 0:
                self._say(f"logger {name} did not end within {seconds:.0f} s, and is left to itself")
            if name in self._feeds:
                self._drop(name)


def _read(run_dir: Path, say: Callable[[str], None]) -> dict[str, _Entry]:
    """Read loggers.json, which may come from anyone: an id is data, by which a tool finds a run of the user."""
    path = run_dir / NAME
    if not path.exists():
        return {}
    try:
        entries = {str(name): _entry(value) for name, value in read_json(path, 1 << 20, "loggers").items()}
    except (ConfigError, TypeError, ValueError, AttributeError) as error:
        say(f"{path} is damaged, and the run's loggers begin new runs: {first_line(error)}")
        return {}
    for entry in entries.values():
        if entry.open:
            entry.step, entry.open = max(entry.step, _last_step(run_dir)), False
    return entries


def _entry(value: dict[str, Any]) -> _Entry:
    entry = _Entry(**value)
    _require_id(entry.id)
    if isinstance(entry.step, bool) or not isinstance(entry.step, int) or not isinstance(entry.open, bool):
        raise ValueError(f"step and open are {entry.step!r} and {entry.open!r}")
    return entry


def _require_id(given: object) -> str | None:
    if given is not None and not (isinstance(given, str) and _ID.fullmatch(given)):
        raise ValueError(f"an id is {str(given)[:80]!r}")
    return given


def _last_step(run_dir: Path) -> int:
    try:
        lines = read_metrics(run_dir)
    except ConfigError:
        return -1
    return lines[-1].steps if lines else -1


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {first_line(error)}"
