"""A sweep keeps what has ended, resumes the rest, names what fails, and stops in order."""

import io
import json
import os
import shutil
import signal
from pathlib import Path

import pytest
from rich.console import Console

from pyqmix import ConfigError
from pyqmix.run.lock import FILE, RunLock
from pyqmix.sweep import runner
from pyqmix.sweep.command import Command
from pyqmix.sweep.folder import opened
from pyqmix.sweep.plan import read_plan
from pyqmix.sweep.planned import check_plan
from pyqmix.sweep.runner import Stop
from pyqmix.sweep.sweep import run_sweep

SEEDS = {"seeds": [0, 1, 2]}


class FakeProcess:
    """A process that has ended by its second look, or after a signal."""

    def __init__(self, code, finish):
        self.code, self.finish, self.looks, self.signals = code, finish, 0, []

    def poll(self):
        self.looks += 1
        if self.looks < 2 or (self.code is None and not self.signals):
            return None
        if self.finish is not None:
            self.finish()
            self.finish = None
        return 130 if self.code is None else self.code

    def stop(self, number):
        self.looks = self.looks if self.signals else -2  # a run takes a while to end
        self.signals.append(number)


make_process = FakeProcess


class FakeStarter:
    """Starts no process: a run "trains" by a copy of the finished run."""

    def __init__(self, tiny_run, codes, at_start):
        self.tiny_run, self.codes, self.started, self.processes = tiny_run, dict(codes), [], []
        self.at_start = at_start

    def start(self, command):
        seed = int(command.folder.name.rpartition("=")[2])
        self.started.append((seed, "--resume" in command.arguments))
        code = self.codes.get(seed, 0)
        self.at_start(len(self.started))

        def finish():
            if code != 0:
                command.log.write_text("so far\npyqmix-train: error: the loss became nan\n")
            else:
                finished(self.tiny_run, command.folder, seed)

        self.processes.append(make_process(code, finish))
        return self.processes[-1]


def finished(tiny_run, folder, seed, **changes):
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(tiny_run, folder)
    options = json.loads((folder / "config.json").read_text())
    options.pop("checksum", None)
    (folder / "config.json").write_text(json.dumps({**options, "seed": seed, **changes}))


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    monkeypatch.setattr(runner, "LOOKS", 0.0)


@pytest.fixture
def _undrawn(monkeypatch):
    monkeypatch.setattr("pyqmix.sweep.sweep.write_results", lambda *_: None)


@pytest.fixture
def sweep(tiny_run, tmp_path):
    """Run a sweep of the finished run's options over three seeds, without processes."""
    own = json.loads((tiny_run / "config.json").read_text())
    options = {n: v for n, v in own.items() if n not in ("checksum", "seed", "run_dir", "threads", "eps_end")}

    def run(codes=(), stop=None, stop_at=None, **values):
        plan = read_plan({**options, **SEEDS, "preset": "none", **values})
        text = io.StringIO()
        starter = FakeStarter(tiny_run, codes, lambda number: number == stop_at and stop(signal.SIGINT))
        runs = check_plan(plan, Path("file"), False)
        console = Console(file=text, width=200)
        outcomes = run_sweep(plan, runs, tmp_path / "out", starter, 2, stop=stop, console=console)
        return [(o.run.config.seed, o.state) for o in outcomes], starter, text.getvalue()

    return run


def test_a_sweep_and_its_results(sweep, tmp_path):
    outcomes, starter, text = sweep()
    assert sorted(outcomes) == [(0, "ended"), (1, "ended"), (2, "ended")]
    assert starter.started == [(0, False), (1, False), (2, False)]
    assert {"results.csv", "results.md", "results.png", "sweep.json"} <= {
        p.name for p in (tmp_path / "out").iterdir()
    }
    assert "started  two_step,seed=0" in text
    assert "3/3 ended" in text
    outcomes, starter, _ = sweep()
    assert outcomes == [(0, "ended"), (1, "ended"), (2, "ended")]
    assert starter.started == []


@pytest.mark.usefixtures("_undrawn")
def test_a_failing_run_is_named_and_others_go_on(sweep):
    outcomes, _, text = sweep({1: 2})
    assert sorted(outcomes) == [(0, "ended"), (1, "failed"), (2, "ended")]
    assert "failed: two_step,seed=1: pyqmix-train: error: the loss became nan" in text
    assert "killed by SIGKILL" in sweep({1: -9})[2]
    assert sweep()[1].started == [(1, False)]


@pytest.mark.usefixtures("_undrawn")
def test_stopped_and_dead_runs_are_resumed(sweep, tiny_run, tmp_path):
    sweep()
    runs = tmp_path / "out" / "runs"
    summary = runs / "two_step,seed=0" / "summary.json"
    summary.write_text(json.dumps({**json.loads(summary.read_text()), "interrupted": True}))
    (runs / "two_step,seed=1" / "summary.json").unlink()
    outcomes, starter, _ = sweep()
    assert starter.started == [(0, True), (1, True)]
    assert {state for _, state in outcomes} == {"ended"}


@pytest.mark.usefixtures("_undrawn")
def test_a_stopped_run_that_cannot_go_on_has_failed(sweep, tmp_path):
    sweep()
    summary = tmp_path / "out" / "runs" / "two_step,seed=0" / "summary.json"
    summary.write_text(json.dumps({**json.loads(summary.read_text()), "interrupted": True}))
    outcomes, _, text = sweep({0: 2})
    assert (0, "failed") in outcomes
    assert "failed: two_step,seed=0: pyqmix-train: error: the loss became nan" in text


@pytest.mark.usefixtures("_undrawn")
def test_a_run_that_goes_on_is_waited_for(sweep, tiny_run, tmp_path, monkeypatch):
    folder = tmp_path / "out" / "runs" / "two_step,seed=0"
    sweep({0: 1, 1: 1, 2: 1})
    finished(tiny_run, folder, 0)
    lock = RunLock(folder)
    looks = iter(range(10))
    monkeypatch.setattr(runner.time, "sleep", lambda _: next(looks) < 5 or lock.release())
    outcomes, starter, text = sweep()
    assert "found running  two_step,seed=0" in text
    assert [seed for seed, _ in starter.started] == [1, 2]
    assert (0, "ended") in outcomes


@pytest.mark.usefixtures("_undrawn")
def test_a_run_that_a_user_resumes_at_the_same_moment_is_waited_for(sweep, tiny_run, tmp_path, monkeypatch):
    folder, locks = tmp_path / "out" / "runs" / "two_step,seed=0", []

    def resume(code, finish):
        if not locks:
            finished(tiny_run, folder, 0)
            locks.append(RunLock(folder))
            return FakeProcess(2, None)  # pyqmix-train finds the folder locked
        return FakeProcess(code, finish)

    looks = iter(range(12))
    monkeypatch.setattr(f"{__name__}.make_process", resume)
    monkeypatch.setattr(runner.time, "sleep", lambda _: next(looks) < 10 or locks[0].release())
    outcomes, starter, _ = sweep()
    assert sorted(outcomes) == [(0, "ended"), (1, "ended"), (2, "ended")]
    assert outcomes[-1] == (0, "ended")
    assert [seed for seed, _ in starter.started] == [0, 1, 2]


@pytest.mark.usefixtures("_undrawn")
def test_a_signal_does_not_wait_for_another_machine(sweep, tiny_run, tmp_path):
    folder = tmp_path / "out" / "runs" / "two_step,seed=0"
    sweep({0: 1, 1: 1, 2: 1})
    finished(tiny_run, folder, 0)
    lock, stop = RunLock(folder), Stop()
    (folder / FILE).write_text(json.dumps({"pid": 1, "host": "another"}))
    outcomes, _, text = sweep({1: None}, stop=stop, stop_at=1)
    lock.release()
    assert (0, "stopped") in outcomes
    assert "stopped: two_step,seed=0: goes on in another program" in text


def test_a_log_that_leads_elsewhere_is_not_written(tmp_path):
    other, log = tmp_path / "thesis.tex", tmp_path / "log"
    other.write_text("mine\n")
    log.symlink_to(other)
    command = Command("true", (), tmp_path / "run", log, tmp_path)
    with pytest.raises(OSError, match="symbolic links"):
        command.start()
    assert command.last_line() == ""
    log.unlink()
    os.mkfifo(log)
    with pytest.raises(OSError, match="No such device"):
        command.start()
    assert command.last_line() == ""
    assert other.read_text() == "mine\n"


@pytest.mark.usefixtures("_undrawn")
def test_a_folder_with_other_options_is_not_resumed(sweep, tiny_run, tmp_path):
    sweep({0: 1, 1: 1, 2: 1})
    finished(tiny_run, tmp_path / "out" / "runs" / "two_step,seed=1", 1, lr=0.5)
    outcomes, starter, text = sweep()
    assert sorted(outcomes) == [(0, "ended"), (1, "failed"), (2, "ended")]
    assert [seed for seed, _ in starter.started] == [0, 2]
    assert "its lr is 0.5, and the sweep's is 0.0005" in text


@pytest.mark.usefixtures("_undrawn")
def test_signals_reach_every_run_once(sweep):
    stop = Stop()
    stop(signal.SIGINT)
    stop(signal.SIGTERM)  # within a moment: one signal
    assert (stop.first, stop.count) == (signal.SIGINT, 1)
    assert sweep(stop=stop)[1].started == []
    stop = Stop()
    outcomes, starter, text = sweep({0: None, 1: None, 2: None}, stop=stop, stop_at=2)
    assert text.count("SIGINT: each run ends") == 1
    assert outcomes == [(0, "stopped"), (1, "stopped")]
    assert [process.signals for process in starter.processes] == [[signal.SIGINT]] * 2


@pytest.mark.usefixtures("_undrawn")
def test_a_run_that_a_search_ends_early(sweep, monkeypatch):
    def bad(self, active):
        return [each for each in active if each.run.config.seed == 1]

    monkeypatch.setattr(runner.Listed, "bad", bad)
    outcomes, starter, text = sweep({1: None})
    assert sorted(outcomes) == [(0, "ended"), (1, "pruned"), (2, "ended")]
    assert starter.processes[1].signals == [signal.SIGTERM]
    assert "pruned  two_step,seed=1" in text


@pytest.mark.usefixtures("_undrawn")
def test_a_larger_sweep_goes_on_and_another_is_refused(sweep):
    sweep()
    assert sweep(seeds=[0, 1, 2, 3])[1].started == [(3, False)]
    for changed, words in (
        ({"seeds": [0, 1]}, "seeds is [0, 1, 2, 3] there and [0, 1] here"),
        ({"lr": 0.1, "seeds": [0, 1, 2, 3]}, "lr is 0.0005 there and 0.1 here"),
    ):
        with pytest.raises(ConfigError) as refusal:
            sweep(**changed)
        assert words in str(refusal.value)


def test_results_have_the_names_of_variants(sweep, tmp_path):
    variants = {"first": {"lr": 1e-3}, "second": {"lr": 2e-3}}
    assert "first" in (text := sweep(seeds=[0], variants=variants)[2])
    assert "lr=" not in text
    more = {**variants, "third": {"lr": 3e-3}}
    assert sweep(seeds=[0], variants=more)[1].started == [(0, False)]
    for changed in (None, {**more, "first": {"lr": 4e-3}}):
        with pytest.raises(ConfigError, match=r"variants: first is \{"):
            sweep(seeds=[0], variants=changed)


@pytest.mark.usefixtures("_undrawn")
def test_a_folder_of_a_version_without_variants_goes_on(sweep, tmp_path):
    sweep()
    path = tmp_path / "out" / "sweep.json"
    saved = json.loads(path.read_text())
    del saved["variants"]
    path.write_text(json.dumps(saved))
    assert sweep()[1].started == []


def test_a_folder_in_use_or_of_something_else(sweep, tmp_path):
    plan = read_plan({"env": "two_step"})
    with (
        opened(tmp_path / "out", plan),
        pytest.raises(ConfigError, match="out: another"),
        opened(tmp_path / "out", plan),
    ):
        pass
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    with pytest.raises(ConfigError, match="has other files"), opened(tmp_path / "full", plan):
        pass
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.tex"]
