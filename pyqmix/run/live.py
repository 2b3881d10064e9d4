"""The live rows on a terminal: a bar, the curve of the greedy return, and as many numbers as fit."""

from __future__ import annotations

import os
from collections import deque

from rich.console import Console, ConsoleOptions, ConsoleRenderable, Group, RenderableType, RenderResult
from rich.control import Control
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.segment import ControlType, Segment
from rich.table import Table
from rich.text import Text

from pyqmix.run.columns import GAP, cells, clock, counts, fitting, short
from pyqmix.run.sparkline import sparkline
from pyqmix.run.status import Status

WIDEST = 120  # a longer bar says no more
MARGIN = 2  # the terminal writes ^C behind the last row, which must not wrap
SHORTEST_BAR, ROOMY_BAR = 4, 8
TIME_WIDTH = len("left 1:02:33")


class Rows:
    """A renderable of the run's status, which takes at most three rows and never more than a row's width.

    Attributes:
        lengths: of the rows that were drawn last.

    Args:
        status: is read at each refresh.
    """

    def __init__(self, status: Status) -> None:
        self._status = status
        self.lengths: list[int] = []

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, height = min(options.max_width - MARGIN, WIDEST), options.size.height
        has_curve = height > 5 and not options.ascii_only and bool(self._status.returns)
        rows = [_progress(self._status, width, has_curve), *([] if height < 3 else _numbers(self._status, width))]
        lines = console.render_lines(Group(*rows), options.update(width=max(1, width), no_wrap=True), pad=False)
        self.lengths = [Segment.get_line_length(line) for line in lines]
        for line in lines:
            yield from line
            yield Segment.line()


class LiveRows(Live):
    """Rows that stay below all other output and are gone after the end.

    Args:
        console: a terminal.
        status: the run's.
    """

    def __init__(self, console: Console, status: Status) -> None:
        self._rows, self._notices = Rows(status), deque[str]()
        self._drawn_width = console.width
        super().__init__(
            self._rows, console=console, transient=True, refresh_per_second=4, redirect_stderr=os.isatty(2)
        )

    def notice(self, text: str) -> None:
        """Have a line appear above the rows at the next refresh; a signal handler may call this at any moment."""
        self._notices.append(text)

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Put the rows below what is printed, in place of those that were drawn before."""
        above: list[ConsoleRenderable] = [self._erase_wrapped()]
        while self._notices:
            above.append(Text(self._notices.popleft()))
        return super().process_renderables([*above, *renderables])

    def _erase_wrapped(self) -> Control:
        """Erase what rich does not know of: a terminal that became narrower has wrapped the rows."""
        width, before = max(1, self.console.width), self._drawn_width
        self._drawn_width = width
        if width >= before:
            return Control()
        more = sum((length - 1) // width for length in self._rows.lengths if length > 0)
        return Control(*((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2)) * more)


def _progress(status: Status, width: int, has_curve: bool) -> RenderableType:
    """Draw steps, bar and time left, and below them the curve, of the same width as the bar."""
    left = f"left {clock(status.seconds_left())}"
    best = f"best {short(max(status.returns))}" if has_curve else ""
    right = max(TIME_WIDTH, len(left), len(best))
    forms = counts(status.steps, status.total)
    for form in forms:
        bar = width - len(form) - right - 2 * len(GAP)
        if bar >= (SHORTEST_BAR if form is forms[-1] else ROOMY_BAR):
            break
    else:
        both = f"{forms[-1]}{GAP}{left}"
        return Text(both if len(both) <= width else forms[-1], no_wrap=True, overflow="crop")
    grid = Table.grid(padding=(0, len(GAP), 0, 0), pad_edge=False)
    for size in (len(form), bar, right):
        grid.add_column(width=size, no_wrap=True)
    done = ProgressBar(status.total, min(status.steps, status.total), bar, complete_style="cyan")
    grid.add_row(Text(form, "bold"), done, left)
    if has_curve:
        name = next((name for name in ("greedy return", "greedy") if len(name) <= len(form)), "")
        grid.add_row(Text(name, "dim", justify="right"), Text(sparkline(status.returns, bar), "cyan"), best)
    return grid


def _numbers(status: Status, width: int) -> list[Text]:
    """Draw the numbers that fit into a row; no row before there are any."""
    if status.newest is None:
        return []
    parts: list[str | tuple[str, str]] = []
    for cell in fitting(cells(status.newest, status.evaluated), width):
        parts += [GAP if parts else "", (cell.before, "dim"), cell.value, (cell.after, "dim")]
    return [Text.assemble(*parts, no_wrap=True, overflow="crop")] if parts else []
