"""Runs are listed from their files alone, in tables that fit, and without taking a lock."""

import io
import json
import shutil
import socket
import sys

import pytest
from plotted_runs import write_sacred
from rich.cells import cell_len
from rich.console import Console

from pyqmix.cli import runs as runs_command
from pyqmix.figures.folders import find_runs, natural
from pyqmix.run.lock import FILE, RunLock, holder_here, is_held
from pyqmix.sweep.status import read_status
from pyqmix.sweep.table import cells, fitted


@pytest.fixture
def copy(tiny_run, tmp_path):
    """Copy the finished run, with changes of its summary."""

    def copy(name, **summary):
        folder = shutil.copytree(tiny_run, tmp_path / name)
        path = folder / "summary.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **summary}))
        return folder

    return copy


@pytest.fixture
def call(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["command", *map(str, arguments)])
        code = 0
        try:
            runs_command.main()
        except SystemExit as stop:
            code = stop.code
        return code, *capsys.readouterr()

    return run


def test_states_of_a_run(copy):
    folder = copy("run")
    ended = read_status(folder)
    assert (ended.state, ended.task, ended.algorithm, ended.seed) == ("ended", "two_step", "qmix-mlp", 0)
    assert (ended.steps, ended.total_steps, ended.progress) == (300, 300, 1.0)
    assert ended.eval_return is not None
    assert ended.win_rate is None
    assert read_status(copy("stopped", interrupted=True)).state == "stopped"
    assert read_status(copy("extended", total_steps=200)).state == "dead"  # and killed before its next summary
    leftover = copy("killed", interrupted=True)
    (leftover / FILE).write_text("{}")
    assert read_status(leftover).state == "dead"
    (folder / "summary.json").unlink()
    assert read_status(folder).state == "dead"
    (folder / "config.json").write_text("{")
    broken = read_status(folder)
    assert broken.state == "broken"
    assert str(folder / "config.json") in broken.error


def test_a_lock_is_looked_at_and_not_taken(copy):
    folder = copy("run")
    assert not is_held(folder)
    lock = RunLock(folder)
    try:
        assert read_status(folder).state == "running"
        assert is_held(folder)
        assert holder_here(folder) is not None
        assert lock.holds()
    finally:
        lock.release()
    assert not (folder / FILE).exists()  # looking makes no file, either
    (folder / FILE).write_text('{"pid": 1, "host": "x"}')
    assert not is_held(folder)
    assert holder_here(folder) is None
    RunLock(folder).release()


def test_a_kernel_without_these_locks(copy, monkeypatch):
    def refuse(*_):
        raise OSError(22, "Invalid argument")

    folder = copy("run")
    lock = RunLock(folder)
    monkeypatch.setattr("fcntl.fcntl", refuse)
    assert is_held(folder)
    (folder / FILE).write_text(json.dumps({"pid": 2**22 + 1, "host": "elsewhere"}))
    assert not is_held(folder)
    monkeypatch.undo()
    lock.release()


@pytest.mark.parametrize("process", [-1, 0, 2**40, 1e400])
def test_a_lock_names_one_process(copy, process):
    folder = copy("run")
    lock = RunLock(folder)
    (folder / FILE).write_text(json.dumps({"pid": process, "host": socket.gethostname()}))
    assert holder_here(folder) is None  # a signal to -1 would reach every process of the user
    lock.release()


def test_runs_are_found_and_sorted(copy, tmp_path):
    for name in ("b/seed=10", "b/seed=2", "a"):
        copy(name)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text("{}")  # of another program
    (tmp_path / "link").symlink_to(tmp_path / "b")
    assert [str(path.relative_to(tmp_path)) for path in find_runs(tmp_path)] == ["a", "b/seed=2", "b/seed=10"]
    assert list(find_runs(tmp_path / "a")) == [tmp_path / "a"]
    sacred = write_sacred(tmp_path / "c", {0: 0.5})
    assert sacred not in find_runs(tmp_path)
    assert sacred in find_runs(tmp_path, sacred=True)
    assert natural("seed=2") < natural("seed=10") < natural("seedling")


def test_a_folder_that_disappears_is_left_out(copy, tmp_path):
    copy("a")
    (tmp_path / "b").mkdir()
    found = find_runs(tmp_path)
    assert next(found).name == "a"
    (tmp_path / "b").rmdir()  # as a run that is discarded, while pyqmix-runs --watch looks
    assert list(found) == []


def test_the_command_lists_and_names_broken_ones(copy, call, tmp_path):
    copy("good")
    (copy("bad") / "metrics.csv").write_text("steps\nmany\n")
    code, out, err = call(tmp_path)
    assert code == 1
    assert [line.split()[0] for line in out.splitlines()] == ["run", "bad", "good"]
    assert "two_step" in out
    assert err.startswith(f"pyqmix-runs: broken: {tmp_path / 'bad' / 'metrics.csv'}: ")
    code, out, err = call(tmp_path, "--json")
    assert [each["state"] for each in json.loads(out)] == ["broken", "ended"]
    assert json.loads(out)[1]["progress"] == 1.0
    assert call(tmp_path / "good", "--json")[0] == 0


def test_a_folder_that_is_sent_cannot_write_to_the_terminal(copy, call, tmp_path):
    folder = copy("\udcff\x1b[31m[red]")  # a name that is not UTF-8 could not even be printed
    options = json.loads((folder / "config.json").read_text())
    options.pop("checksum")
    nasty = {"task": "\x1b]0;title\x07", "mixer": "a\x9bb"}
    (folder / "config.json").write_text(json.dumps({**options, **nasty}))
    (copy("\x1bbroken") / "metrics.csv").write_text("steps\nmany\n")
    code, out, err = call(tmp_path)
    assert code == 1
    assert "\ufffd\ufffd[31m[red]" in out
    assert "\ufffd]0;title\ufffd" in out
    assert (out + err).replace("\n", "").isprintable()
    assert call(tmp_path, "--json")[1].replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "nowhere: cannot list"),
        (["--jsn"], "unknown option"),
        ([".", "--json", "--watch"], "--json"),
        (["--watch"], "a terminal"),
    ],
)
def test_the_command_refuses(call, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("width", [40, 60, 80, 140])
@pytest.mark.parametrize("game", ["Foraging", "採集採集採集採集"])
def test_tables_fit(copy, width, game):
    status = read_status(copy("run"))
    names = [
        f"runs/{game}-{size}x8-2p-2f-v3,mixer={mixer},seed=1" for size in (5, 15) for mixer in ("qmix", "vdn")
    ]
    text = io.StringIO()
    Console(file=text, width=width, highlight=False).print(fitted([cells(name, status) for name in names], width))
    lines = [line.rstrip() for line in text.getvalue().splitlines()]
    assert len(lines) == 5
    assert max(map(cell_len, lines)) <= width
    assert len(set(lines)) == 5  # runs can be told apart
    assert all("ended" in line for line in lines[1:])
    assert ("steps/s" in lines[0]) == (width == 140)
