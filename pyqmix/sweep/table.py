"""Tables that fit the terminal: columns are dropped in order of importance, long names lose their beginning."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from pyqmix.sweep.status import BROKEN, DEAD, ENDED, FAILED, PRUNED, RUNNING, STOPPED, WAITING, Status

GAP, SHORTEST_NAME = 2, 22
STYLES = {RUNNING: "cyan", ENDED: "green", STOPPED: "yellow", DEAD: "red", BROKEN: "red"}
STYLES.update({FAILED: "red", WAITING: "dim", PRUNED: "magenta"})
_BAR, _NARROW = 8, 60  # characters


@dataclass(frozen=True)
class Column:
    """A column of a table of runs.

    Attributes:
        title: above it; also the key of its cells.
        importance: the columns with the smallest numbers stay where the terminal is narrow.
        right: whether its cells end at the right.
    """

    title: str
    importance: int
    right: bool = True


COLUMNS = (
    Column("run", 0, right=False),
    Column("task", 6, right=False),
    Column("algorithm", 5, right=False),
    Column("seed", 7),
    Column("state", 1, right=False),
    Column("done", 2),
    Column("bar", 8, right=False),
    Column("return", 3),
    Column("won", 4),
    Column("steps/s", 9),
)


def cells(name: str, status: Status, width: int | None = None) -> dict[str, str]:
    """Write a run's status as the cells of a table's row.

    Below 60 characters, a running run's progress stands in the place of its state.
    """
    progress = status.progress
    filled = 0 if progress is None else round(_BAR * progress)
    done = "" if progress is None else f"{int(100 * progress)} %"
    narrow = width is not None and width < _NARROW
    return {
        "style": status.state,
        "run": name,
        "task": status.task or "",
        "algorithm": status.algorithm or "",
        "seed": "" if status.seed is None else str(status.seed),
        "state": done if narrow and done and status.state == RUNNING else status.state,
        "done": "" if narrow else done,
        "bar": "" if progress is None else "━" * filled + "╌" * (_BAR - filled),
        "return": "" if status.eval_return is None else f"{status.eval_return:.3f}",
        "won": "" if status.win_rate is None else f"{100 * status.win_rate:.0f} %",
        "steps/s": "" if status.steps_per_second is None else f"{status.steps_per_second:,.0f}",
    }


def fitted(rows: Sequence[Mapping[str, str]], width: int | None, columns: Sequence[Column] = COLUMNS) -> Table:
    """Make a table that is at most ``width`` characters wide; None: as wide as its cells.

    Columns without a cell are left out. The first column has names. Where one does not fit, its end is shown, in
    which runs differ.
    """
    first = columns[0]
    used = [column for column in columns if any(row.get(column.title) for row in rows)]
    widths = {c: max(len(c.title), *(cell_len(row.get(c.title, "")) for row in rows)) for c in used}
    kept = _kept(widths, width, first)
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, show_header=True, header_style="bold")
    for column in kept:
        table.add_column(
            "" if column.title == "bar" else column.title, justify="right" if column.right else "left"
        )
        table.columns[-1].no_wrap = True
    room = None if width is None else width - sum(widths[c] + GAP for c in kept if c is not first)
    names = _shortened([row[first.title] for row in rows], room)
    for name, row in zip(names, rows, strict=True):
        table.add_row(*(_cell(column, {**row, first.title: name}) for column in kept))
    return table


def _shortened(names: Sequence[str], room: int | None) -> list[str]:
    """Shorten names where one does not fit: without the beginning that all share, the options' names, more."""

    def fit() -> bool:
        return room is None or all(cell_len(name) <= room for name in names)

    if not fit() and (shared := _shared_beginning(names)):
        names = [f"…{name[len(shared) :]}" for name in names]
    if not fit():
        names = [re.sub(r"(?<=,)\w+=", "", name) for name in names]
    if room is None or fit():
        return list(names)
    return [name if cell_len(name) <= room else f"…{_end(name, max(room, 2) - 1)}" for name in names]


def _end(name: str, room: int) -> str:
    """Return the longest end of a name that fits; East Asian characters are two columns wide."""
    return next(name[start:] for start in range(len(name) + 1) if cell_len(name[start:]) <= room)


def _shared_beginning(names: Sequence[str]) -> str:
    first, last = min(names, default=""), max(names, default="")
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), 0)
    return re.sub(r"[^-,/_]*$", "", first[:same])


def _kept(widths: Mapping[Column, int], width: int | None, first: Column) -> list[Column]:
    if width is None:
        return list(widths)
    least = {column: min(wide, SHORTEST_NAME) if column is first else wide for column, wide in widths.items()}
    kept: list[Column] = []
    for column in sorted(widths, key=lambda column: column.importance):
        if sum(least[each] + GAP for each in [*kept, column]) - GAP > width and kept:
            break
        kept.append(column)
    return [column for column in widths if column in kept]


def _cell(column: Column, row: Mapping[str, str]) -> Text:
    coloured = column.title in ("state", "bar")
    return Text(row.get(column.title, ""), style=STYLES.get(row.get("style", ""), "") if coloured else "")
