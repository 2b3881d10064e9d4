"""The search by Optuna: its values, pruning, and a study that goes on."""

from pathlib import Path

import pytest

from pyqmix import ConfigError
from pyqmix.run.metrics import Metrics, first_line, line
from pyqmix.sweep.plan import read_plan
from pyqmix.sweep.planned import check_plan
from pyqmix.sweep.runner import Active, Outcome
from pyqmix.sweep.status import Status
from pyqmix.sweep.tuning import Tuning

pytestmark = pytest.mark.slow
optuna = pytest.importorskip("optuna")
SPACE = {"lr": {"log_uniform": [1e-4, 1e-2]}, "mixer": ["qmix", "vdn"]}


def plan(trials=4, seeds=(0,), **more):
    search = {"trials": trials, "space": SPACE, **more}
    return read_plan({"env": "matrix", "preset": "climb", "seeds": list(seeds), "optuna": search})


def evaluated(out, run, *returns):
    """Write the metrics of a run."""
    folder = out / "runs" / run.name
    folder.mkdir(parents=True, exist_ok=True)
    lines = [Metrics(100 * k, 10, 5, 0.1, eval_return_mean=value) for k, value in enumerate(returns, 1)]
    (folder / "metrics.csv").write_text(first_line() + "".join(map(line, lines)))


def end(tuning, run, state="ended", reason=""):
    tuning.ended(Outcome(run, state, Status(Path(run.name), state), reason))


def test_an_end_of_an_interval_that_the_option_cannot_have_is_refused():
    with pytest.raises(ConfigError, match=r"^lr: expected a number above 0, got -1"):
        check_plan(plan(space={"lr": {"uniform": [-1, 1]}}), Path("x"), False)


def test_a_trial_is_worth_the_mean_of_its_runs(tmp_path):
    assert check_plan(plan(), Path("x"), False) == []
    tuning = Tuning(plan(1, (0, 1)), tmp_path)
    runs = [tuning.next(), tuning.next()]
    assert tuning.next() is None
    assert not tuning.is_done()
    assert runs[0].setting == runs[1].setting
    for run, value in zip(runs, (1.0, 4.0), strict=True):
        evaluated(tmp_path, run, 0.0, value)
        end(tuning, run)
    assert tuning.is_done()
    assert tuning.study.best_value == 2.5
    assert "eval_return_mean 2.5" in tuning.best()


def test_a_bad_trial_ends_early(tmp_path):
    tuning = Tuning(plan(7), tmp_path)
    for _ in range(5):
        run = tuning.next()
        evaluated(tmp_path, run, *[5.0] * 4, 6.0)
        assert list(tuning.bad([Active(run, tmp_path, None)])) == []
        end(tuning, run)
    bad, good = tuning.next(), tuning.next()
    going = [Active(run, tmp_path, None) for run in (bad, good)]
    evaluated(tmp_path, bad, *[1.0] * 3)
    assert list(tuning.bad(going)) == []
    evaluated(tmp_path, bad, *[1.0] * 4)
    evaluated(tmp_path, good, *[9.0] * 4)
    assert [each.run for each in tuning.bad(going)] == [bad]
    end(tuning, bad, "pruned")
    evaluated(tmp_path, good, *[9.0] * 5)
    end(tuning, good)
    assert tuning.is_done()
    assert [trial.state.name for trial in tuning.study.trials] == ["COMPLETE"] * 5 + ["PRUNED", "COMPLETE"]


def test_without_pruning_no_trial_ends_early(tmp_path):
    tuning = Tuning(plan(7, pruning=False), tmp_path)
    for _ in range(5):
        run = tuning.next()
        evaluated(tmp_path, run, *[5.0] * 4)
        end(tuning, run)
    run = tuning.next()
    evaluated(tmp_path, run, *[0.0] * 4)
    assert list(tuning.bad([Active(run, tmp_path, None)])) == []


def test_a_study_goes_on_with_the_trials_that_were_cut(tmp_path):
    tuning = Tuning(plan(3), tmp_path)
    first, cut = tuning.next(), tuning.next()
    evaluated(tmp_path, first, 3.0)
    end(tuning, first)
    end(tuning, cut, "stopped")
    again = Tuning(plan(3), tmp_path)
    assert again.left() == 2
    assert again.next().name == cut.name
    run = again.next()
    assert run.name not in (first.name, cut.name)
    assert again.next() is None
    end(again, run, "failed", "the loss became nan")
    evaluated(tmp_path, cut, 4.0)
    end(again, cut)
    assert again.is_done()
    assert again.study.best_value == 4.0
    assert Tuning(plan(4), tmp_path).left() == 1


def test_a_study_that_is_none(tmp_path):
    (tmp_path / "optuna.journal").write_text("no journal\n")
    with pytest.raises(ConfigError, match=r"optuna\.journal: expected a study of Optuna"):
        Tuning(plan(), tmp_path)
