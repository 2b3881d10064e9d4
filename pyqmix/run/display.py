"""Progress of a run on the screen: live rows on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from types import TracebackType

from rich.console import Console

from pyqmix.base.console import make_console
from pyqmix.base.printable import printable
from pyqmix.run.columns import GAP, cells, clock, counts, fitting, wrapped
from pyqmix.run.live import LiveRows
from pyqmix.run.metrics import Metrics
from pyqmix.run.status import Status

INDENT = "  "


class Display:
    """Shows progress and messages; a context manager.

    On a terminal live rows stand below the messages and are gone after the end. Where output is no terminal, or
    ``TERM`` is ``dumb``, each line of the metrics becomes a line of text.

    A reader of standard output that goes away, as in ``pyqmix-train | head``, ends the display and not the run.

    Args:
        total_steps: where the bar ends.
        console: where to write; None is standard output.
        quiet: write nothing at all.
    """

    def __init__(self, total_steps: int, console: Console | None = None, quiet: bool = False) -> None:
        self._console = console or make_console(quiet)
        self._status = Status(total_steps)
        is_live = self._console.is_terminal and not self._console.is_dumb_terminal and not quiet
        self._live = LiveRows(self._console, self._status) if is_live else None

    def __enter__(self) -> Display:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Remove the live rows; later messages stand where they were."""
        if self._live is not None:
            self._live.stop()

    @property
    def _width(self) -> int:
        return self._console.width if self._console.is_terminal else sys.maxsize

    def message(self, text: str, whole: bool = False) -> None:
        """Write a line that stays.

        Args:
            text: the line; a terminal that is too narrow shows it in several, each of whole words.
            whole: leave it to the terminal to wrap it, as a command that users copy.
        """
        text = printable(text)
        self._console.print(text if whole else wrapped(text, self._width), markup=False, soft_wrap=True)

    def table(self, rows: Mapping[str, str]) -> None:
        """Write names with their values below each other; on a terminal a long value goes on below itself."""
        indent = len(INDENT) + max(map(len, rows), default=0) + len(GAP)
        room = max(20, self._width - indent)
        for name, value in rows.items():
            self.message(f"{INDENT}{name}".ljust(indent) + wrapped(value, room, indent), whole=True)

    def notice(self, text: str) -> bool:
        """Write a line to the terminal's standard error soon, from a signal handler.

        Returns:
            False where no live rows are in its way: the caller can write it at once.
        """
        if self._live is None or not self._live.is_started or not os.isatty(2):
            return False
        self._live.notice(text)
        return True

    def go_on(self, history: Iterable[Metrics]) -> None:
        """Take the metrics of a resumed run's earlier parts, without a line for each."""
        self._status.go_on(history)

    def steps(self, steps: int) -> None:
        """Move the bar."""
        self._status.move(steps)

    def metrics(self, metrics: Metrics) -> None:
        """Show the newest numbers."""
        self._status.take(metrics)
        if self._live is None:
            left = f"left {clock(self._status.seconds_left()):>7}"
            begin = f"{counts(metrics.steps, self._status.total)[0]}{GAP}{left}{GAP}"
            numbers = [cell.padded() for cell in cells(metrics, self._status.evaluated)]
            kept = fitting(numbers, self._width - len(begin))
            self.message((begin + GAP.join(cell.text for cell in kept)).rstrip())
