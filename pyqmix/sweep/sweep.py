"""Runs a sweep to its end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from pyqmix.sweep.display import SweepDisplay
from pyqmix.sweep.folder import opened
from pyqmix.sweep.plan import Plan
from pyqmix.sweep.planned import PlannedRun
from pyqmix.sweep.results import write_results
from pyqmix.sweep.runner import Listed, Outcome, Runner, Stop
from pyqmix.sweep.starters import Starter
from pyqmix.sweep.status import FAILED, STOPPED
from pyqmix.sweep.tuning import Tuning


def run_sweep(
    plan: Plan,
    runs: Sequence[PlannedRun],
    out: Path,
    starter: Starter,
    jobs: int,
    threads: int | str = 1,
    stop: Stop | None = None,
    console: Console | None = None,
) -> list[Outcome]:
    """Run a sweep, or go on with it, and write its results, unless a signal has ended it.

    Runs that have ended are kept, those that were stopped or killed are resumed, and those that go on are waited
    for. A run that fails does not end the sweep.

    Args:
        plan: the sweep.
        runs: of :func:`pyqmix.sweep.planned.check_plan`; of Optuna, none.
        out: its folder: ``runs/``, ``logs/``, ``sweep.json``, and in the end the results.
        starter: starts the processes.
        jobs: how many go on at a time.
        threads: of each run, unless the sweep sets them.
        stop: counts the signals that end it.
        console: where to write; None is standard output.

    Returns:
        How the runs ended, those first that had ended before.

    Raises:
        ConfigError: the folder has another sweep, or another program is running it.
    """
    stop = stop or Stop()
    with opened(out, plan):
        tuning = None if plan.optuna is None else Tuning(plan, out)
        also = 0 if tuning is None else tuning.left() * len(plan.tasks) * len(plan.seeds)
        with SweepDisplay(runs, console, also) as display:
            runner = Runner(out, starter, jobs, threads, display, stop)
            outcomes = runner.run(Listed(runs) if tuning is None else tuning)
        if tuning is not None:  # some trials had no run, as their setting was another's
            display.expect(tuning.left() * len(plan.tasks) * len(plan.seeds))
        _say(display, out, outcomes)
        if best := tuning and tuning.best():
            display.message(best)
        if stop.count == 0:
            write_results(out, {run.name: run.variant for run in runs}, display.console)
    return outcomes


def _say(display: SweepDisplay, out: Path, outcomes: Sequence[Outcome]) -> None:
    display.message(display.summary().plain)
    for each in outcomes:
        if each.state in (FAILED, STOPPED):
            log = out / "logs" / f"{each.run.name}.log"
            display.message(f"{each.state}: {each.run.name}: {each.reason}  ({log})")
