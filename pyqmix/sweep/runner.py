"""Runs the runs of a sweep: a number of them at a time, until all have ended or a signal comes."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from pyqmix.base.errors import ConfigError
from pyqmix.base.signals import AT_ONCE
from pyqmix.run.lock import is_held
from pyqmix.sweep.command import command, require_own
from pyqmix.sweep.planned import PlannedRun
from pyqmix.sweep.starters import FoundProcess, Process, Starter
from pyqmix.sweep.status import BROKEN, ENDED, FAILED, PRUNED, RUNNING, STOPPED, WAITING, Status, read_status

LOOKS = 0.25  # seconds between two looks at the processes


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        run: of the sweep.
        state: ended, stopped (by a signal), failed, or pruned.
        status: of its folder.
        reason: of a failed or stopped one.
    """

    run: PlannedRun
    state: str
    status: Status
    reason: str = ""


@dataclass
class Active:
    """A run that goes on."""

    run: PlannedRun
    folder: Path
    process: Process
    signals: int = 0  # that it has been sent
    pruned: bool = False


class Source(Protocol):
    """Tells which run is next."""

    def next(self) -> PlannedRun | None:
        """Return the next run; None where none can start now."""
        ...

    def is_done(self) -> bool:
        """Whether no further run will come."""
        ...

    def ended(self, outcome: Outcome) -> None:
        """Learn how a run ended."""
        ...

    def bad(self, active: Iterable[Active]) -> Iterable[Active]:
        """Return the runs that are to end early."""
        ...


class Observer(Protocol):
    """Shows the course of a sweep."""

    def started(self, run: PlannedRun, how: str) -> None:
        """A run has been started, resumed or found."""
        ...

    def ended(self, outcome: Outcome) -> None:
        """A run has ended, or had ended before."""
        ...

    def stopping(self, number: int) -> None:
        """A signal has come, and the runs are about to end."""
        ...

    def look(self, active: Iterable[Active]) -> None:
        """Some time has passed."""
        ...


class Stop:
    """Counts the signals that end a sweep; several within a moment are one."""

    def __init__(self) -> None:
        self.first, self.count, self._last = 0, 0, -1.0

    def __call__(self, number: int) -> None:
        """Note a signal; the handler's work."""
        now = time.monotonic()
        if self.count == 0 or now - self._last > AT_ONCE:
            self.first, self.count, self._last = self.first or number, self.count + 1, now


class Listed:
    """The runs of a list, in its order."""

    def __init__(self, runs: Iterable[PlannedRun]) -> None:
        self._left = list(runs)[::-1]

    def next(self) -> PlannedRun | None:
        """Return the next run."""
        return self._left.pop() if self._left else None

    def is_done(self) -> bool:
        """Whether the list is empty."""
        return not self._left

    def ended(self, outcome: Outcome) -> None:
        """Do nothing."""

    def bad(self, active: Iterable[Active]) -> Iterable[Active]:
        """Return none."""
        return ()


class Runner:
    """Runs the runs of a source.

    Args:
        out: the sweep's folder.
        starter: starts processes.
        jobs: how many go on at a time.
        threads: of a run that does not set them.
        observer: shows the course.
        stop: counts the signals that end the sweep.
    """

    def __init__(
        self, out: Path, starter: Starter, jobs: int, threads: int | str, observer: Observer, stop: Stop
    ) -> None:
        self._out, self._starter, self._jobs, self._threads = out, starter, jobs, threads
        self._observer, self._stop = observer, stop
        self._active: list[Active] = []
        self._is_stopping = False

    def run(self, source: Source) -> list[Outcome]:
        """Run until the source has no further run, or a signal has come and all runs have ended.

        Returns:
            How each run ended, in this order.
        """
        outcomes: list[Outcome] = []

        def end(outcome: Outcome) -> None:
            outcomes.append(outcome)
            source.ended(outcome)
            self._observer.ended(outcome)

        while True:
            for active in [each for each in self._active if each.process.poll() is not None]:
                if not self._is_taken_over(active):
                    self._active.remove(active)
                    end(self._outcome(active))
            if self._stop.count:
                self._pass_on()
            else:
                self._fill(source, end)
                self._end_early(source)
            if not self._active and (self._stop.count or source.is_done()):
                return outcomes
            self._observer.look(self._active)
            time.sleep(LOOKS)

    def _fill(self, source: Source, end: Callable[[Outcome], None]) -> None:
        while len(self._active) < self._jobs and not self._stop.count:
            run = source.next()
            if run is None:
                return
            outcome = self._begin(run)
            if outcome is not None:
                end(outcome)

    def _begin(self, run: PlannedRun) -> Outcome | None:
        """Start or resume a run; return how it ended where it has, or cannot start."""
        made = command(run, self._out, self._threads)
        status, how = Status(made.folder, WAITING), "started"
        if (made.folder / "config.json").exists():
            status = read_status(made.folder)
            if status.state == BROKEN:
                return Outcome(run, FAILED, status, status.error or "")
            try:
                require_own(made.folder, run)
            except ConfigError as error:
                return Outcome(run, FAILED, status, str(error))
            if status.state == ENDED:
                return Outcome(run, ENDED, status)
            how = "resumed"
        process: Process
        if status.state == RUNNING:
            process, how = FoundProcess(made.folder), "found running"
        else:
            try:
                process = self._starter.start(made)
            except OSError as error:
                return Outcome(run, FAILED, status, f"cannot start: {error}")
        self._active.append(Active(run, made.folder, process))
        self._observer.started(run, how)
        return None

    def _end_early(self, source: Source) -> None:
        for active in source.bad(self._active):
            if not active.pruned:
                active.pruned = True
                active.process.stop(signal.SIGTERM)

    def _pass_on(self) -> None:
        """Send each run as many signals as have come, one at a look."""
        if not self._is_stopping:
            self._is_stopping = True
            self._observer.stopping(self._stop.first)
        for active in self._active:
            if active.signals < self._stop.count:
                active.signals += 1
                active.process.stop(self._stop.first)

    def _is_taken_over(self, active: Active) -> bool:
        """Wait for another program that writes the folder, where a user has resumed the run at the same moment."""
        if self._stop.count or isinstance(active.process, FoundProcess) or not is_held(active.folder):
            return False
        active.process = FoundProcess(active.folder)
        return True

    def _outcome(self, active: Active) -> Outcome:
        code, status = active.process.poll() or 0, read_status(active.folder)
        made = command(active.run, self._out, self._threads)
        if status.state == ENDED:
            return Outcome(active.run, ENDED, status)
        if active.pruned:
            return Outcome(active.run, PRUNED, status)
        if active.signals or code in (130, 143) or (code == 0 and status.state == STOPPED):
            reason = "goes on in another program" if status.state == RUNNING else "stopped by a signal"
            return Outcome(active.run, STOPPED, replace(status, state=STOPPED), reason)
        reason = made.last_line()
        if code < 0:
            with suppress(ValueError):
                reason = f"killed by {signal.Signals(-code).name}"
        return Outcome(active.run, FAILED, status, reason or f"exit code {code}")
