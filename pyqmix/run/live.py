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

from pyqmix.run.columns import GAP, cells, clock, counts, fitting, short, wrapped
from pyqmix.run.sparkline import sparkline
from pyqmix.run.status import Status

WIDEST = 120  # a longer bar says no more
MARGIN = 2  # the terminal writes ^C behind the last row, which must not wrap
SHORTEST_BAR, ROOMY_BAR = 4, 8
TIME_WIDTH = len("left 1:02:33")


# A row that meets a terminal that has just become narrower is cropped, not wrapped. rich has no name for these two
# sequences, and only asks whether a segment has a control code.
WRAP_OFF, WRAP_ON = (Segment(f"\x1b[?7{end}", None, [(ControlType.HOME,)]) for end in "lh")


class Rows:
    """A renderable of the run's status: at most three rows, none longer than the terminal's width.

    Args:
        status: is read by :meth:`draw`.
    """

    def __init__(self, status: Status) -> None:
        self._status = status
        self._lines: list[list[Segment]] = []

    @property
    def lengths(self) -> list[int]:
        """Those of the rows that were drawn last."""
        return [Segment.get_line_length(line) for line in self._lines]

    def draw(self, console: Console) -> None:
        """Draw the rows for the console's present size."""
        size = None
        while size != console.size:  # it may change meanwhile
            size = console.size
            width, is_utf = min(size.width - MARGIN, WIDEST), console.encoding.startswith("utf")
            has_curve = size.height > 5 and is_utf and bool(self._status.returns)
            numbers = _numbers(self._status, width) if size.height > 2 else []
            options = console.options.update(width=max(1, width), no_wrap=True)
            rows = Group(_progress(self._status, width, has_curve), *numbers)
            self._lines = console.render_lines(rows, options, pad=False)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield WRAP_OFF
        for index, line in enumerate(self._lines):
            yield from [Segment.line(), *line] if index else line
        yield WRAP_ON


class LiveRows(Live):
    """Rows that stay below all other output and are gone after the end.

    Args:
        console: a terminal.
        status: the run's.
    """

    def __init__(self, console: Console, status: Status) -> None:
        self._rows, self._notices = Rows(status), deque[str]()
        super().__init__(
            self._rows, console=console, transient=True, refresh_per_second=4, redirect_stderr=os.isatty(2)
        )

    def notice(self, text: str) -> None:
        """Have a line appear above the rows at the next refresh; a signal handler may call this at any moment."""
        self._notices.append(text)

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Put the rows below the output, in place of those that were drawn before."""
        before = self._rows.lengths
        self._rows.draw(self.console)
        above: list[ConsoleRenderable] = [_erase_wrapped(before, self.console.width)]
        while self._notices:
            above.append(Text(wrapped(self._notices.popleft(), self.console.width)))
        return super().process_renderables([*above, *renderables])


def _erase_wrapped(lengths: list[int], width: int) -> Control:
    """Erase the lines that rich does not count: the terminal wrapped rows when it became narrower."""
    more = sum((length - 1) // width for length in lengths if length > width)
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
