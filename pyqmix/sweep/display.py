"""The progress of a sweep: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from pyqmix.base.console import make_console
from pyqmix.base.printable import printable
from pyqmix.run.columns import clock
from pyqmix.sweep.planned import PlannedRun
from pyqmix.sweep.runner import Active, Outcome
from pyqmix.sweep.status import ENDED, FAILED, PRUNED, RUNNING, STOPPED, WAITING, Status, read_status
from pyqmix.sweep.table import STYLES, cells, fitted

INTERVAL = 1.0  # seconds between two readings of the runs' files, at least
_SHARE = 10  # and at least this many times as long as a reading takes
_ORDER = (RUNNING, FAILED, STOPPED, PRUNED, ENDED, WAITING)
_SUMMED = (ENDED, RUNNING, WAITING, PRUNED, STOPPED, FAILED)


class SweepDisplay:
    """Shows the runs of a sweep; a context manager.

    Attributes:
        console: where it writes.

    Args:
        runs: those that are known before.
        console: where to write; None is standard output.
        also: runs that will follow, as of Optuna's trials.
    """

    def __init__(self, runs: Iterable[PlannedRun], console: Console | None = None, also: int = 0) -> None:
        self.console = console or make_console()
        self._rows = {run.name: Status(Path(run.name), WAITING) for run in runs}
        self._also = also
        self._next_look, self._began = 0.0, time.monotonic()
        self._live: Live | None = None
        if self.console.is_terminal and not self.console.is_dumb_terminal:
            self._live = Live(console=self.console, auto_refresh=False, transient=True, vertical_overflow="crop")

    def __enter__(self) -> SweepDisplay:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            if self._rows:
                self.console.print(self._table(None))

    def expect(self, also: int) -> None:
        """Learn how many runs will follow."""
        self._also = also

    def message(self, text: str) -> None:
        """Write a line that stays."""
        self.console.print(printable(text), markup=False, soft_wrap=True)

    def started(self, run: PlannedRun, how: str) -> None:
        """Show that a run goes on."""
        self._also -= run.name not in self._rows
        self._rows[run.name] = Status(Path(run.name), RUNNING)
        if self._live is None:
            self.message(f"{how}  {run.name}")

    def ended(self, outcome: Outcome) -> None:
        """Show how a run ended."""
        self._also -= outcome.run.name not in self._rows
        self._rows[outcome.run.name] = replace(outcome.status, state=outcome.state)
        if self._live is None:
            self.message(f"{outcome.state}  {outcome.run.name}  {_numbers(outcome)}".rstrip())
        elif outcome.state == FAILED:
            self.message(f"failed  {outcome.run.name}  {outcome.reason}")

    def stopping(self, number: int) -> None:
        """Say that the runs are about to end."""
        name = signal.Signals(number).name
        self.message(f"{name}: each run ends with a checkpoint; a second signal does not wait for environments")

    def look(self, active: Iterable[Active]) -> None:
        """Read how far the runs are, now and then."""
        began = time.monotonic()
        if self._live is None or began < self._next_look:
            return
        for each in active:
            status = read_status(each.folder)
            waits = status.state not in (RUNNING, ENDED)  # for a place on a cluster, or for its first moment
            self._rows[each.run.name] = replace(status, state=WAITING if waits else RUNNING)
        self._live.update(self._view(), refresh=True)
        self._next_look = began + max(INTERVAL, _SHARE * (time.monotonic() - began))

    def _view(self) -> Group:
        room = max(3, self.console.height - 4)
        hidden = len(self._rows) - room
        more = Text(f"… and {hidden} more", style="dim") if hidden > 0 else Text()
        return Group(self._table(room), more, self.summary())

    def _table(self, room: int | None) -> Group:
        order = sorted(self._rows.items(), key=lambda row: _ORDER.index(row[1].state))  # stable
        plain = [(name, replace(each, task=None, algorithm=None, seed=None)) for name, each in order[:room]]
        rows = [cells(name, each, self.console.width) for name, each in plain]  # the names have the rest
        return Group(fitted(rows, self.console.width))

    def summary(self) -> Text:
        """Count the runs by their states, as far as the width allows."""
        counts = Counter(status.state for status in self._rows.values())
        counts[WAITING] += max(0, self._also)
        text = Text(f"{counts[ENDED]}/{sum(counts.values())} ended", style=STYLES[ENDED])
        for state in _SUMMED[1:]:
            if counts[state]:
                text.append(f"  {counts[state]} {state}", style=STYLES[state])
        passed = f"  {clock(time.monotonic() - self._began)}"
        if len(text) + len(passed) <= self.console.width:
            text.append(passed, style="dim")
        text.no_wrap, text.overflow = True, "ellipsis"
        return text


def _numbers(outcome: Outcome) -> str:
    status = outcome.status
    if outcome.state not in (ENDED, PRUNED):
        return outcome.reason
    parts = ("return {:.3f}", status.eval_return), ("won {:.1%}", status.win_rate)
    return "  ".join(form.format(value) for form, value in parts if value is not None)
