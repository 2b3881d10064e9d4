"""The numbers of a line of progress, the most important first, and which of them fit into a width."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pyqmix.run.metrics import Metrics

GAP = "  "
MISSING = "--"


class Cell(NamedTuple):
    """A number with its name.

    Attributes:
        before: the name, where it stands before the number.
        value: the number.
        after: the name, where it stands behind the number, as a unit does.
        width: characters that the number usually takes; lines below each other keep them free.
    """

    before: str
    value: str
    after: str
    width: int

    @property
    def text(self) -> str:
        """The number with its name."""
        return self.before + self.value + self.after

    def padded(self) -> Cell:
        """Return the cell as long as on other lines."""
        return self._replace(value=f"{self.value:>{self.width}}")


def cells(newest: Metrics, evaluated: Metrics | None) -> list[Cell]:
    """Return the numbers, the most important first; ``--`` where there is none yet.

    Args:
        newest: the newest line of the metrics.
        evaluated: the newest one with an evaluation, or None.
    """
    greedy, wins = (None, None) if evaluated is None else (evaluated.eval_return_mean, evaluated.eval_win_rate)
    won = [] if wins is None and newest.train_win_rate is None else [wins]
    return [
        Cell("return ", _or_missing(newest.train_return, short), "", 7),
        Cell("greedy ", _or_missing(greedy, short), "", 7),
        *(Cell("won ", _or_missing(rate, lambda share: f"{100 * share:.0f} %"), "", 5) for rate in won),
        Cell("", _or_missing(newest.env_steps_per_second, "{:,.0f}".format), " steps/s", 7),
        Cell("eps ", f"{newest.epsilon:.2f}", "", 4),
        Cell("loss ", _or_missing(newest.loss, lambda loss: short(loss, 4)), "", 6),
        Cell("Q ", _or_missing(newest.q_mean, short), "", 7),
        Cell("", _or_missing(newest.updates_per_env_step, "{:.4f}".format), " updates/step", 6),
        Cell("", f"{newest.episodes:,}", " episodes", 9),
    ]


def fitting(found: Sequence[Cell], width: int) -> list[Cell]:
    """Return the first of the cells, as many as fit into a line; none stands without all before it."""
    used, kept = -len(GAP), 0
    for cell in found:
        used += len(GAP) + len(cell.text)
        if used > width:
            break
        kept += 1
    return list(found[:kept])


def wrapped(text: str, width: int, indent: int = 0) -> str:
    """Break a text between words where it is longer than a line.

    Args:
        text: one line; a word that is longer than a line is left whole.
        width: of a line.
        indent: spaces before each line but the first.
    """
    if len(text) <= width:
        return text
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return f"\n{'':{indent}}".join(lines)


def short(value: float, decimals: int = 3) -> str:
    """Write a number with fewer decimals where more digits stand before the point."""
    whole = len(f"{abs(value):.0f}")
    return f"{value:,.{max(0, decimals + 1 - whole)}f}"


def clock(seconds: float | None) -> str:
    """Write a time as ``0:42`` or ``1:02:33``; ``--`` where it is unknown."""
    if seconds is None:
        return MISSING
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def counts(steps: int, total: int) -> list[str]:
    """Write the steps so far and in all, the longest form first; a form keeps its length during a run."""
    full = f"{steps:>{len(f'{total:,}')},}/{total:,}"
    longest = max(len(_rounded(total)), len("999.9k") if total >= 10**6 else 0)
    return [f"{full} steps", full, f"{_rounded(steps):>{longest}}/{_rounded(total)}"]


def _or_missing(value: float | None, form: Callable[[float], str]) -> str:
    return MISSING if value is None else form(value)


def _rounded(count: int) -> str:
    for unit, name in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= unit:
            return f"{10 * count // unit / 10:.1f}{name}"
    return str(count)
