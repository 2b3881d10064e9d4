"""``pyqmix-eval``: outputs are refused before an episode is played; JSON alone on standard output."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from pyqmix.base.files import require_writable
from pyqmix.base.wilson import wilson_interval
from pyqmix.cli import evaluate
from pyqmix.play.evaluator import Evaluation
from pyqmix.run.evaluate import evaluate_run


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """Call pyqmix-eval in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["pyqmix-eval", *map(str, arguments)])
        try:
            code = evaluate.main()
        except SystemExit as stop:
            code = stop.code
        return SimpleNamespace(code=code or 0, **capsys.readouterr()._asdict())

    return run


@pytest.fixture
def refused(call, tiny_run, tmp_path, monkeypatch):
    """Call pyqmix-eval of a run, which must refuse in one line before it plays; nothing is left behind."""
    monkeypatch.setattr("pyqmix.run.evaluate.evaluate_run", None)
    monkeypatch.setattr("pyqmix.run.recording.record.play_moments", None)

    def run(*arguments):
        before = sorted(tmp_path.rglob("*"))
        outcome = call(tiny_run, *arguments)
        assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
        assert sorted(tmp_path.rglob("*")) == before
        return outcome.err.removeprefix("pyqmix-eval: error: ").rstrip("\n")

    return run


EXPECTED = "expected the name of a .{} file in a folder that exists, got {}"


@pytest.mark.parametrize("kind", ["gif", "mp4"])
def test_unusable_paths_are_refused_before_an_episode_is_played(refused, tmp_path, kind, monkeypatch):
    option, name = f"--{kind}", f"x.{kind}"
    for path in ("x.png", "x", f"none/{name}", f".{kind}"):
        assert refused(option, path) == f"{option}: {EXPECTED.format(kind, path)}"
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / name).mkdir()
    (tmp_path / name).symlink_to("elsewhere")
    os.mkfifo(tmp_path / f"fifo.{kind}")
    for path, there in ((f"folder/{name}", "folder"), (name, "symbolic link"), (f"fifo.{kind}", "FIFO")):
        assert refused(option, path) == f"{option}: {path}: expected a regular file or none, got a {there}"
    assert refused(option, f"{'x' * 250}.{kind}").endswith("cannot be written: File name too long")
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    assert refused(option, f"~/{name}") == f"{option}: {EXPECTED.format(kind, f'~/{name}')}"
    assert refused(option, f"~nobody-here/{name}").startswith(
        f"{option}: expected the path of a file, got '~nobody"
    )


def test_a_folder_that_cannot_be_written_is_refused(refused, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device", "x.gif.abcdefgh.partial")

    monkeypatch.setattr("pyqmix.base.files._make_temporary", full)
    assert refused("--gif", "x.gif") == "--gif: x.gif cannot be written: No space left on device"


def test_the_second_output_is_checked_before_the_first_is_begun(refused):
    assert refused("--gif", "x.gif", "--mp4", "x.avi") == f"--mp4: {EXPECTED.format('mp4', 'x.avi')}"


def test_what_is_missing_is_refused_before_an_episode_is_played(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    assert refused("--mp4", "x.mp4") == "--mp4: videos need av: pip install 'pyqmix-marl[video]'"
    monkeypatch.delenv("DISPLAY", raising=False)
    assert refused("--render", "human").startswith("--render: ")
    assert refused("--render", "robot") == "--render: expected human, got 'robot'"
    assert refused("--draw-episodes", "0") == "--draw-episodes: expected an integer of at least 1, got 0"


def test_what_cannot_be_drawn_is_refused_before_an_episode_is_played(call, tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr("pyqmix.run.evaluate.evaluate_run", None)
    outcome = call(tiny_run, "--gif", "x.gif")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "environment two_step cannot be drawn" in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_a_tilde_is_the_home_folder_and_no_more_is_drawn_than_played(call, tiny_run, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    drawn = []

    def record(*arguments, episodes, **options):
        return SimpleNamespace(play=lambda sinks: drawn.append((episodes, [sink.path for sink in sinks])))

    monkeypatch.setattr("pyqmix.run.recording.Recording", record)
    for arguments in ([], ["--episodes", 2], ["--episodes", 9, "--draw-episodes", 5]):
        assert call(tiny_run, "--gif", "~/x.gif", *arguments).code == 0
    assert drawn == [(3, [tmp_path / "x.gif"]), (2, [tmp_path / "x.gif"]), (5, [tmp_path / "x.gif"])]


def strict(text):
    def refuse(constant):
        raise ValueError(constant)

    return json.loads(text, parse_constant=refuse)


def test_json_has_every_result(call, tiny_run):
    outcome = call(tiny_run, "--json", "--episodes", 20, "--seed", 3)
    assert (outcome.code, outcome.err, outcome.out.count("\n")) == (0, "", 1)
    told, known = strict(outcome.out), evaluate_run(tiny_run, 20, 3)
    assert told == {
        "run_dir": str(tiny_run),
        "env": "two_step",
        "task": None,
        "checkpoint_steps": 300,
        "seed": 3,
        "episodes": 20,
        "return_mean": known.mean,
        "return_std": known.std,
        "return_interval": list(known.interval()),
        "win_rate": None,
        "win_rate_interval": None,
        "returns": known.returns.tolist(),
        "lengths": [2] * 20,
        "won": None,
    }


def test_json_has_wins_and_no_number_that_json_lacks(call, tiny_run, monkeypatch):
    won = np.array([True, False, True])
    played = Evaluation(np.array([1e200, -1e200, np.nan]), won, np.array([1, 2, 2]))
    monkeypatch.setattr("pyqmix.run.evaluate.evaluate_run", lambda *arguments, **options: played)
    with np.errstate(all="ignore"):
        told = strict(call(tiny_run, "--json").out)
    assert told["returns"] == [1e200, -1e200, None]
    assert told["return_mean"] is told["return_std"] is None
    assert told["return_interval"] == [None, None]
    assert (told["won"], told["lengths"]) == ([True, False, True], [1, 2, 2])
    assert told["win_rate"] == 2 / 3
    assert tuple(told["win_rate_interval"]) == wilson_interval(2 / 3, 3)


PRINTING = """
import os, sys
from pyqmix.cli import evaluate
import pyqmix.run.evaluate as module

known = module.evaluate_run

def chatty(*arguments, **options):
    print("hello from a library")
    os.system("echo hello from a process")
    return known(*arguments, **options)

module.evaluate_run = chatty
evaluate.main()
"""


@pytest.mark.slow
def test_nothing_but_json_is_on_standard_output(tiny_run, tmp_path):
    arguments = [sys.executable, "-c", PRINTING, tiny_run, "--json", "--episodes", "2"]
    ended = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert strict(ended.stdout)["episodes"] == 2
    assert sorted(ended.stderr.splitlines()) == ["hello from a library", "hello from a process"]


def test_trying_a_path_names_it_and_leaves_nothing(tmp_path):
    require_writable(tmp_path / "x.gif")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError) as caught:
        require_writable(tmp_path / "none" / "x.gif")
    assert caught.value.filename == str(tmp_path / "none" / "x.gif")
