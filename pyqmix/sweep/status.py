"""How far a run is and whether it goes on, from its files alone; nothing is imported by a name in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyqmix.base.errors import ConfigError
from pyqmix.base.printable import one_line
from pyqmix.figures import Run, read_run
from pyqmix.run.lock import FILE, is_held

RUNNING, ENDED, STOPPED, DEAD, BROKEN = "running", "ended", "stopped", "dead", "broken"
WAITING, FAILED, PRUNED = "waiting", "failed", "pruned"  # of a run of a sweep, besides these


@dataclass(frozen=True)
class Status:
    """A run as its files tell; None for a number that they do not have.

    Attributes:
        folder: the run's.
        state: running: a program holds the folder's lock. ended: the step budget is spent. stopped: a signal ended
            it, with a checkpoint. dead: an error or a kill has ended it. broken: a file is damaged.
        task: the environment's, or the environment where it has no tasks.
        algorithm: mixer and agent network, as ``qmix-gru``.
        seed: of everything that is random.
        steps: environment steps so far.
        total_steps: the step budget.
        eval_return: of the last greedy evaluation.
        win_rate: of the last greedy evaluation, where the environment tells who has won.
        steps_per_second: of the last line of the metrics.
        error: of a broken run, the reason.
    """

    folder: Path
    state: str
    task: str | None = None
    algorithm: str | None = None
    seed: int | None = None
    steps: int | None = None
    total_steps: int | None = None
    eval_return: float | None = None
    win_rate: float | None = None
    steps_per_second: float | None = None
    error: str | None = None

    @property
    def progress(self) -> float | None:
        """Share of the step budget that is spent, at most 1."""
        return min(1.0, self.steps / self.total_steps) if self.steps is not None and self.total_steps else None


def read_status(folder: Path) -> Status:
    """Read how far a run is. A broken one has the reason, and no exception is raised."""
    held = is_held(folder)  # first: a run that ends now has its summary before it gives the lock back
    try:
        run = read_run(folder)
        held = held or (run.summary is None and is_held(folder))  # one that starts now
        return _status(folder, run, held)
    except (ConfigError, OSError) as error:
        return Status(folder, BROKEN, error=" ".join(str(error).split()))


def _status(folder: Path, run: Run, held: bool) -> Status:
    options, metrics, summary = run.options, run.metrics, run.summary or {}
    done = max(metrics[-1].steps if metrics else 0, _count(summary.get("total_steps")) or 0)
    evaluated = next((m for m in reversed(metrics) if m.eval_return_mean is not None), None)
    names = [name for key in ("mixer", "agent") if isinstance(name := options.get(key), str)]
    return Status(
        folder,
        _state(folder, run, held, done),
        task=_text(options.get("task")) or _text(options.get("env")),
        algorithm=_text("-".join(name.rpartition(":")[2] for name in names)) or None,
        seed=_count(options.get("seed")),
        steps=done,
        total_steps=_count(options.get("total_steps")),
        eval_return=None if evaluated is None else evaluated.eval_return_mean,
        win_rate=None if evaluated is None else evaluated.eval_win_rate,
        steps_per_second=metrics[-1].env_steps_per_second if metrics else None,
    )


def _state(folder: Path, run: Run, held: bool, done: int) -> str:
    if held:
        return RUNNING
    if run.summary is None:
        return DEAD
    summarised = _count(run.summary.get("total_steps")) or 0
    if not run.summary.get("interrupted") and summarised >= (_count(run.options.get("total_steps")) or 0):
        return ENDED
    # A run that went on after its summary and was killed has later metrics, or left the lock's file.
    return STOPPED if summarised >= done and not (folder / FILE).exists() else DEAD


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: Any) -> str | None:
    return one_line(value) if isinstance(value, str) else None
