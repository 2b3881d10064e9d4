"""Loggers of a run: which lines each gets, what a failing one does, and how a resumed run goes on in them."""

import json
import sys
import threading
import time
from types import ModuleType

import pytest
from run_files import metrics, options_of, results
from tensorboard.backend.event_processing import data_provider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams.backend_context import Context

import pyqmix
from pyqmix import ConfigError
from pyqmix.loggers import LOGGERS
from pyqmix.run import external, run

SMALL = {"env": "two_step", "batch_size": 4, "buffer_size": 16, "hidden_dim": 8, "eval_episodes": 2}


class Kept:
    """A logger that keeps all that it gets."""

    def __init__(self, run):
        self.run, self.lines, self.status = run, [], None
        self.id, self.where = run.id or "kept-1", "in memory"
        self.thread = None
        MADE.append(self)

    def log(self, step, values):
        self.lines.append((step, dict(values)))
        self.thread = threading.current_thread()

    def close(self, status):
        self.status = status


class Failing(Kept):
    """A logger whose server is gone after two lines."""

    def log(self, step, values):
        if len(self.lines) == 2:
            raise ConnectionError("the server is gone")
        super().log(step, values)


MADE = []


@pytest.fixture(autouse=True)
def loggers(monkeypatch):
    MADE.clear()
    for name in ("plot_curve", "plot_curves"):  # which takes longer than the rest of such a run
        monkeypatch.setattr(run, name, lambda *_: None, raising=False)
    for name, maker in (("kept", Kept), ("failing", Failing)):
        monkeypatch.setitem(LOGGERS._entries, name, maker)


def config(tmp_path, *names, **options):
    given = {"run_dir": str(tmp_path / "run"), "total_steps": 100, "log_every": 20, "eval_every": 60}
    return pyqmix.Config(**{**SMALL, **given, "loggers": names, **options})


def saved(tmp_path):
    return json.loads((tmp_path / "run" / external.NAME).read_text())


def test_a_logger_gets_every_line_on_a_thread_of_its_own(tmp_path):
    pyqmix.train(config(tmp_path, "kept"), quiet=True)
    (kept,) = MADE
    rows = metrics(tmp_path / "run")
    assert [step for step, _ in kept.lines] == [int(row["steps"]) for row in rows]
    assert kept.lines[-1][1]["eval_return_mean"] == float(rows[-1]["eval_return_mean"])
    assert all(isinstance(value, float) for _, values in kept.lines for value in values.values())
    assert (kept.status, kept.run.name, kept.run.options["env"]) == ("finished", "run", "two_step")
    assert kept.thread is not threading.current_thread()
    assert saved(tmp_path) == {"kept": {"id": "kept-1", "step": kept.lines[-1][0], "open": False}}


def test_a_failing_logger_is_named_once_and_harms_nothing(tmp_path, capsys):
    pyqmix.train(config(tmp_path / "without"), quiet=True)
    pyqmix.train(config(tmp_path / "with", "failing", "kept"))
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("logger failing failed, and gets nothing more of this run: ConnectionError") == 1
    assert results(tmp_path / "with" / "run") == results(tmp_path / "without" / "run")
    failing, kept = MADE
    assert len(failing.lines) == 2
    assert len(kept.lines) > 2
    assert saved(tmp_path / "with")["failing"]["step"] == failing.lines[-1][0]


def test_a_resumed_run_goes_on_in_its_loggers_and_sends_what_they_lack(tmp_path):
    first = config(tmp_path, "kept", "failing")
    pyqmix.train(first, quiet=True)
    pyqmix.train(first.replace(total_steps=200), quiet=True, resume=True)
    kept, failing, kept_on, failing_on = MADE
    assert kept_on.run.id == "kept-1"
    steps = [step for step, _ in kept.lines + kept_on.lines]
    assert steps == [int(row["steps"]) for row in metrics(tmp_path / "run")]
    assert [step for step, _ in failing.lines + failing_on.lines] == steps[:4]


def test_a_killed_run_sends_no_line_twice(tmp_path):
    first = config(tmp_path, "kept", checkpoint_every=60)
    pyqmix.train(first, quiet=True)
    lines = (tmp_path / "run" / "metrics.csv").read_text()
    entry = {**saved(tmp_path)["kept"], "step": -1, "open": True}  # as it stands while a run goes on
    (tmp_path / "run" / external.NAME).write_text(json.dumps({"kept": entry}))
    pyqmix.train(first, quiet=True, resume=True, checkpoint=60)
    assert (tmp_path / "run" / "metrics.csv").read_text().count("\n") == lines.count("\n")
    assert MADE[1].lines == []


@pytest.mark.parametrize(
    "text",
    ["[]", "{", '{"kept": 3}', '{"kept": {"id": "a/b"}}', '{"kept": {"step": "9"}}', '{"kept": {"x": 1}}'],
)
def test_a_damaged_list_of_loggers_begins_new_runs(tmp_path, text, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / external.NAME).write_text(text)
    logs = external.ExternalLogs(tmp_path / "run", config(tmp_path, "kept"), True, [], print)
    logs.close(tmp_path / "run", "stopped")
    assert "is damaged, and the run's loggers begin new runs" in capsys.readouterr().out
    assert (MADE[0].run.id, MADE[0].status) == (None, "stopped")


def test_a_logger_that_never_ends_is_left_to_itself(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(external, "SECONDS", 0.02)
    monkeypatch.setattr(external, "_SOON", 0.01)
    monkeypatch.setattr(Kept, "close", lambda self, status: time.sleep(0.3))
    (tmp_path / "run").mkdir()
    logs = external.ExternalLogs(tmp_path / "run", config(tmp_path, "kept"), False, [], print)
    logs.close(tmp_path / "run", "finished")
    assert "logger kept did not end within" in capsys.readouterr().out


def test_one_that_cannot_start_ends_a_new_run_and_not_a_resumed_one(tmp_path, monkeypatch, capsys):
    def maker(run):
        raise OSError("no route to host")

    first = config(tmp_path, "kept")
    pyqmix.train(first, quiet=True)
    monkeypatch.setitem(LOGGERS._entries, "kept", maker)
    pyqmix.train(first.replace(total_steps=120), resume=True)
    assert "logger kept cannot start, and gets nothing of this run: OSError" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="loggers: kept cannot start: OSError: no route to host"):
        pyqmix.train(first.replace(run_dir=str(tmp_path / "new")), quiet=True)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["wandb", "mlflow", "trackio"])
def test_a_missing_extra_is_one_line_before_the_run(tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=rf"need {name}.*: pip install 'pyqmix-marl\[{name}\]'"):
        pyqmix.train(config(tmp_path, name), quiet=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (["wandbb"], "loggers: expected .*wandb"),
        ("wandb", "loggers: expected a list of names, got 'wandb'"),
        (["wandb", "wandb"], "loggers: expected different names"),
        (["os:system"], "loggers: expected"),
        ([["wandb"]], "loggers: expected"),
    ],
)
def test_names_are_checked_and_import_nothing(value, message):
    with pytest.raises(ConfigError, match=message):
        pyqmix.Config(loggers=value)


def test_an_unknown_logger_of_a_sent_run_is_left_out_and_said(tmp_path, capsys):
    first = config(tmp_path, "kept")
    pyqmix.train(first, quiet=True)
    path = tmp_path / "run" / "config.json"
    path.write_text(json.dumps({**options_of(tmp_path / "run"), "loggers": ["kept", "evil:Thing", "theirs"]}))
    read = pyqmix.Config.from_json(path)
    assert read.loggers == ("kept",)
    pyqmix.train(read.replace(total_steps=120), resume=True)
    assert "left out: the run's loggers evil:Thing, theirs" in " ".join(capsys.readouterr().out.split())


def test_tensorboard_compares_the_options_of_runs(tmp_path):
    for seed in (1, 2):
        pyqmix.train(config(tmp_path, run_dir=str(tmp_path / f"{seed}"), seed=seed, total_steps=20), quiet=True)
    runs = EventMultiplexer().AddRunsFromDirectory(str(tmp_path))
    runs.Reload()
    provider = data_provider.MultiplexerDataProvider(runs, str(tmp_path))
    context = Context(TBContext(logdir=str(tmp_path), data_provider=provider))
    request = RequestContext()
    metadata = context.hparams_metadata(request, "")
    found = context.experiment_from_metadata(request, "", True, metadata, None)
    assert {info.name for info in found.hparam_infos} >= {"seed"}
    assert "eval_return_mean" in {info.name.tag for info in found.metric_infos}


def test_the_command_reads_a_list(tmp_path):
    options = pyqmix.Config(loggers=["mlflow", "wandb"])
    assert options.loggers == ("mlflow", "wandb")
    assert json.loads(options.to_json())["loggers"] == ["mlflow", "wandb"]
    assert isinstance(sys.modules["pyqmix.loggers"], ModuleType)
