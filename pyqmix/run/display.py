"""Progress of a run on the screen: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TextIO, cast

from rich.console import Console
from rich.progress import BarColumn, Progress, Task, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

from pyqmix.base.output import Steady
from pyqmix.run.metrics import Metrics


class _Numbers(TextColumn):
    """Gives way where the terminal is narrow, so that the other columns stay whole."""

    def render(self, task: Task) -> Text:
        """Return the text, on one line."""
        text = super().render(task)
        text.no_wrap, text.overflow = True, "ellipsis"
        return text


class Display:
    """Shows progress and messages; a context manager.

    A reader of standard output that goes away, as in ``pyqmix-train | head``, ends the display and not the run.

    Args:
        total_steps: where the bar ends.
        console: where to write; None is standard output.
        quiet: write nothing at all.
    """

    def __init__(self, total_steps: int, console: Console | None = None, quiet: bool = False) -> None:
        self._console = console or _console(quiet)
        self._progress: Progress | None = None
        self._total = total_steps
        self._evaluated: tuple[float | None, float | None] = None, None
        self._began = time.monotonic()
        self._first_steps: int | None = None
        if self._console.is_terminal and not quiet:
            self._progress = Progress(
                TextColumn("[bold]{task.completed:,.0f}[/]/{task.total:,.0f} steps"),
                BarColumn(bar_width=min(20, max(1, (self._console.width - 30) // 6))),
                _Numbers("{task.fields[text]}", table_column=Column()),
                TimeRemainingColumn(),
                console=self._console,
            )
            self._task = self._progress.add_task("train", total=total_steps, text="")

    def __enter__(self) -> Display:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def message(self, text: str) -> None:
        """Write a line that stays."""
        self._console.print(text, markup=False)

    def steps(self, steps: int) -> None:
        """Move the bar."""
        if self._progress is not None:
            self._progress.update(self._task, completed=min(steps, self._total))

    def metrics(self, metrics: Metrics) -> None:
        """Show the newest numbers."""
        if metrics.eval_return_mean is not None:
            self._evaluated = metrics.eval_win_rate, metrics.eval_return_mean
        if self._first_steps is None:
            self._first_steps = metrics.steps
        text = self._text(metrics)
        if self._progress is not None:
            self._progress.update(self._task, completed=min(metrics.steps, self._total), text=text)
        else:
            self.message(f"{metrics.steps:>9,}/{self._total:,} steps  {text}  {self._time_left(metrics.steps)}")

    def _time_left(self, steps: int) -> str:
        done = steps - (self._first_steps or 0)
        if done <= 0:
            return "left --"
        seconds = (time.monotonic() - self._began) / done * max(0, self._total - steps)
        return f"left {int(seconds // 60)}:{int(seconds % 60):02d}"

    def _text(self, m: Metrics) -> str:
        """Write the numbers, the most important first, because a narrow terminal cuts the rest."""
        win_rate, eval_return = self._evaluated
        numbers = (
            ("won {:.0f} %", None if win_rate is None else 100 * win_rate),
            ("eval {:.3f}", eval_return),
            ("return {:.2f}", m.train_return),
            ("episodes {:,}", m.episodes),
            ("eps {:.2f}", m.epsilon),
            ("loss {:.4f}", m.loss),
            ("Q {:.2f}", m.q_mean),
            ("{:,.0f} steps/s", m.env_steps_per_second),
            ("{:.4f} updates/step", m.updates_per_env_step),
        )
        return "  ".join(form.format(value) for form, value in numbers if value is not None)


def _console(quiet: bool) -> Console:
    file = None if sys.stdout is None else cast(TextIO, Steady(sys.stdout))
    return Console(file=file, quiet=quiet, highlight=False, soft_wrap=True)
