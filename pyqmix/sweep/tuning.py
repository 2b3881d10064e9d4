"""A search by Optuna: each trial is a setting, and its runs are the sweep's tasks and seeds.

The study lies in the sweep's folder. A run's folder is named by its setting, so that a trial which was interrupted
is asked for again with the same values and goes on with the same runs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyqmix.base.errors import ConfigError
from pyqmix.base.untrusted import require_file
from pyqmix.run.metrics import read_metrics
from pyqmix.sweep.plan import Plan, Search
from pyqmix.sweep.planned import PlannedRun, describe, plan_runs
from pyqmix.sweep.runner import Active, Outcome
from pyqmix.sweep.status import ENDED, FAILED

if TYPE_CHECKING:
    import optuna

FILE = "optuna.journal"
_FIRST_TRIALS = 5  # are never pruned, and their settings are drawn at random
_FIRST_EVALUATIONS = 3  # of a trial, which say little about its last
_FAILED = "failed"  # an attribute of a trial whose run failed; those without it were interrupted, and come again


@dataclass
class _Trial:
    """A trial that goes on."""

    trial: optuna.trial.Trial
    runs: list[PlannedRun]
    ended: dict[str, Outcome] = field(default_factory=dict)
    reported: int = 0  # evaluations
    pruned: bool = False


class Tuning:
    """Gives the runs of an Optuna study (TPE; pruning by the median of the trials before).

    Args:
        plan: the sweep.
        out: its folder, in which the study lies.

    Raises:
        ConfigError: the study's file is damaged.
    """

    def __init__(self, plan: Plan, out: Path) -> None:
        import optuna

        assert plan.optuna is not None
        self._plan, self._search, self._out, self._optuna = plan, plan.optuna, out, optuna
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.study = self._open(plan.optuna)
        self._active: list[_Trial] = []
        self._waiting: list[PlannedRun] = []
        self._read: dict[str, tuple[tuple[int, ...], list[float]]] = {}
        self._ask_again()

    def _open(self, search: Search) -> optuna.Study:
        import optuna
        from optuna.storages.journal import JournalFileBackend

        path = self._out / FILE
        if os.path.lexists(path):
            require_file(path)
        backend = JournalFileBackend(str(path))
        median = optuna.pruners.MedianPruner(_FIRST_TRIALS, _FIRST_EVALUATIONS)
        pruner = median if search.pruning else optuna.pruners.NopPruner()
        try:
            study: optuna.Study = optuna.create_study(
                storage=optuna.storages.JournalStorage(backend),
                study_name="sweep",
                load_if_exists=True,
                direction="maximize",
                sampler=optuna.samplers.TPESampler(
                    n_startup_trials=_FIRST_TRIALS, seed=search.seed + self._told(), constant_liar=True
                ),
                pruner=pruner,
            )
            return study
        except (ValueError, KeyError, OSError) as error:
            raise ConfigError(f"{self._out / FILE}: expected a study of Optuna, but {error}") from error

    def _told(self) -> int:
        """Return the size of the study's file, so that a resumed search does not draw its first values again."""
        path = self._out / FILE
        return path.stat().st_size if path.exists() else 0

    def _ask_again(self) -> None:
        state = self._optuna.trial.TrialState
        for trial in self.study.get_trials(deepcopy=False, states=(state.RUNNING,)):
            self.study.enqueue_trial(trial.params)
            self.study.tell(trial.number, state=state.FAIL)

    def _begun(self) -> int:
        """Return the number of trials that count: those that have ended, and those that go on."""
        state = self._optuna.trial.TrialState
        trials = self.study.get_trials(deepcopy=False)
        done = [t for t in trials if t.state in (state.COMPLETE, state.PRUNED) or _FAILED in t.user_attrs]
        return len(done) + len(self._active)

    def left(self) -> int:
        """Return the number of trials that are still to begin."""
        return max(0, self._search.trials - self._begun())

    def next(self) -> PlannedRun | None:
        """Return the next run: of a trial that goes on, or of a new one."""
        if not self._waiting and self.left():
            self._ask()
        return self._waiting.pop(0) if self._waiting else None

    def _ask(self) -> None:
        trial = self.study.ask({name: each.for_optuna() for name, each in self._search.space.items()})
        space = self._search.space
        setting = {name: space[name].from_optuna(value) for name, value in trial.params.items()}
        try:
            runs = plan_runs(self._plan, [setting])
        except ConfigError as error:  # options that do not fit together
            self._fail(trial, str(error))
            return
        taken = {run.name for each in self._active for run in each.runs}
        if any(run.name in taken for run in runs):  # the same setting goes on now: its value is not known yet
            self._fail(trial, f"the same setting as another trial: {describe(setting)}")
            return
        self._active.append(_Trial(trial, runs))
        self._waiting += runs

    def _fail(self, trial: optuna.trial.Trial, reason: str) -> None:
        trial.set_user_attr(_FAILED, reason)
        self.study.tell(trial, state=self._optuna.trial.TrialState.FAIL)

    def is_done(self) -> bool:
        """Whether all trials have ended."""
        return not self._active and not self.left()

    def ended(self, outcome: Outcome) -> None:
        """Tell the study a trial's value once all of its runs have ended."""
        found = next((each for each in self._active if outcome.run in each.runs), None)
        if found is None:  # another run of its trial had failed before
            return
        found.ended[outcome.run.name] = outcome
        states = [each.state for each in found.ended.values()]
        if FAILED in states and not found.pruned:
            self._drop(found)
            self._fail(found.trial, next(o.reason for o in found.ended.values() if o.state == FAILED))
        elif len(found.ended) == len(found.runs):
            self._tell(found)

    def _tell(self, found: _Trial) -> None:
        states = {each.state for each in found.ended.values()}
        if found.pruned:
            self._drop(found)
            self.study.tell(found.trial, state=self._optuna.trial.TrialState.PRUNED)
        elif states == {ENDED}:
            self._report(found)
            self._drop(found)
            values = [self._values(run)[-1:] for run in found.runs]
            if not all(values):
                self._fail(found.trial, f"its runs have no {self._search.metric}")
            else:
                self.study.tell(found.trial, sum(value for (value,) in values) / len(values))
        else:  # stopped by a signal: asked for again when the sweep goes on
            self._drop(found)

    def _drop(self, found: _Trial) -> None:
        self._active.remove(found)
        self._waiting = [run for run in self._waiting if run not in found.runs]

    def bad(self, active: Iterable[Active]) -> Iterable[Active]:
        """Report the evaluations so far; return the runs of trials that are to end early."""
        for found in [each for each in self._active if not each.pruned]:
            self._report(found)
            if self._search.pruning and found.trial.should_prune():
                found.pruned = True
                self._waiting = [run for run in self._waiting if run not in found.runs]
                going = [run for run in found.runs if run.name not in found.ended and self._goes_on(run, active)]
                found.runs = [run for run in found.runs if run.name in found.ended] + going
                if not going:
                    self._tell(found)
        pruned = [run.name for each in self._active if each.pruned for run in each.runs]
        return [each for each in active if each.run.name in pruned]

    def _goes_on(self, run: PlannedRun, active: Iterable[Active]) -> bool:
        return any(each.run is run for each in active)

    def _report(self, found: _Trial) -> None:
        """Report the means of the evaluations that all runs have."""
        values = [self._values(run) for run in found.runs]
        for number in range(found.reported, min(map(len, values))):
            found.trial.report(sum(each[number] for each in values) / len(values), number)
            found.reported = number + 1

    def _values(self, run: PlannedRun) -> list[float]:
        """Read a run's evaluations, unless its file is as it was."""
        folder = self._out / "runs" / run.name
        try:
            found = (folder / "metrics.csv").stat()
            version = (found.st_ino, found.st_size, found.st_mtime_ns)
            if self._read.get(run.name, ((), []))[0] != version:
                values: list[Any] = [getattr(each, self._search.metric) for each in read_metrics(folder)]
                self._read[run.name] = version, [value for value in values if value is not None]
        except (ConfigError, OSError):
            return []  # it has not begun
        return self._read[run.name][1]

    def best(self) -> str | None:
        """Write the best setting and its value; None before the first trial has ended."""
        try:
            trial = self.study.best_trial
        except ValueError:
            return None
        setting = {name: self._search.space[name].from_optuna(value) for name, value in trial.params.items()}
        return f"best of {self._begun()} trials: {describe(setting)}  {self._search.metric} {trial.value:.4f}"
