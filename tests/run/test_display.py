"""Progress is plain lines in a file and live rows on a terminal, which tests/run/test_live.py looks at."""

import io
import json
import os
import re
import sys

import pytest
from rich.console import Console

from pyqmix.base.output import Steady, flush_all
from pyqmix.run import checkpoint
from pyqmix.run.display import Display
from pyqmix.run.manifest import Manifest
from pyqmix.run.metrics import Metrics, read_metrics

FIRST = Metrics(steps=1_000, episodes=500, updates=90, epsilon=0.75, env_steps_per_second=2_345.0)
SECOND = Metrics(
    **{
        **vars(FIRST),
        **{"steps": 2_000, "loss": 0.125, "q_mean": 3.5, "train_return": 6.25, "eval_return_mean": 7.5},
        "updates_per_env_step": 0.02,
    }
)
SHOWN = [
    *(
        "return 6.250",
        "greedy 7.500",
        "2,345 steps/s",
        "eps 0.75",
        "loss 0.1250",
        "Q 3.500",
        "0.0200 updates/step",
    ),
    "500 episodes",
]


def show(terminal, *metrics, **options):
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=200, highlight=False, **options)
    with Display(4_000, console, quiet=options.get("quiet", False)) as display:
        display.message("run directory: [bold]x[/]")
        for point in metrics:
            display.steps(point.steps)
            display.metrics(point)
    return file.getvalue()


def test_plain_lines():
    message, first, second = show(False, FIRST, SECOND).splitlines()
    assert message == "run directory: [bold]x[/]"
    assert first.startswith("1,000/4,000 steps  left      --  return      --  greedy      --    2,345 steps/s  ")
    assert second.startswith("2,000/4,000 steps  left    0:00  return   6.250  greedy   7.500    2,345 steps/s  ")
    assert all(part in re.sub(" +", " ", second) for part in SHOWN)
    for name in ("left", "return", "greedy", "steps/s", "eps", "loss", "Q", "updates/step", "episodes"):
        assert first.index(name) == second.index(name)


def test_evaluation_stays_in_sight():
    later = Metrics(steps=3_000, episodes=700, updates=90, epsilon=0.5)
    assert "greedy   7.500" in show(False, SECOND, later).splitlines()[-1]


def test_the_win_rate_stands_behind_the_returns():
    evaluated = Metrics(**{**vars(SECOND), "eval_win_rate": 0.85})
    later = Metrics(steps=3_000, episodes=700, updates=90, epsilon=0.5)
    assert "greedy   7.500  won  85 %  " in show(False, evaluated, later).splitlines()[-1]
    (never,) = show(False, Metrics(**{**vars(evaluated), "eval_win_rate": 0.0})).splitlines()[1:]
    assert "  won   0 %  " in never


def test_a_dumb_terminal_has_plain_lines_that_fit(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    file = io.StringIO()
    with Display(4_000, Console(file=file, force_terminal=True, highlight=False, soft_wrap=True)) as display:
        display.metrics(SECOND)
        display.table({"files": "a " * 60, "x": "y"})
    line, *files, last = file.getvalue().splitlines()
    assert line == "2,000/4,000 steps  left      --  return   6.250  greedy   7.500    2,345 steps/s"
    assert len(files) == 2
    assert {text[:9] for text in files} == {"  files  ", " " * 9}
    assert last == "  x      y"
    assert max(map(len, (line, *files))) <= 80


def test_a_forced_colour_gives_a_pipe_no_cursor(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with Display(4_000) as display:
        display.metrics(SECOND)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith(" 500 episodes")


def test_live_rows_on_a_terminal():
    text = show(True, FIRST, SECOND)
    plain = re.sub(r"\x1b\[[\d;]*m", "", text)
    assert "\x1b[" in text
    assert all(part in plain for part in ["2,000/4,000 steps", "left 0:00", "best 7.500", *SHOWN[:-2]])
    assert "run directory: [bold]x[/]" in text


@pytest.mark.parametrize("terminal", [False, True])
def test_quiet(terminal):
    assert show(terminal, FIRST, quiet=True) == ""


class Piped(io.TextIOWrapper):
    """The writing end of a pipe, which may pass for a terminal."""

    def __init__(self, descriptor, terminal):
        super().__init__(os.fdopen(descriptor, "wb"), "utf-8")
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.fixture
def piped(monkeypatch):
    """Let standard output be a pipe; return its reading end."""

    def make(terminal=False):
        read, write = os.pipe()
        monkeypatch.setattr(sys, "stdout", Piped(write, terminal))
        return read

    return make


@pytest.mark.parametrize("terminal", [False, True])
def test_a_reader_that_goes_away_ends_the_display_alone(piped, monkeypatch, terminal):
    monkeypatch.setenv("TERM", "xterm")
    read, ours = piped(terminal), sys.stdout
    with Display(4_000) as display:
        display.message("read")
        os.close(read)
        for point in (FIRST, SECOND):
            display.metrics(point)
        display.message("dropped")
    ours.write("into nowhere")
    ours.close()


def test_a_full_pipe_loses_text_and_the_display_goes_on(piped):
    read = piped()
    for end in (read, sys.stdout.fileno()):
        os.set_blocking(end, False)
    stream = Steady(sys.stdout)
    for _ in range(9):
        stream.write("x" * (1 << 18))
        stream.flush()
    os.read(read, 1 << 20)
    stream.write("y")
    last = b""
    for _ in range(99):  # from Python 3.14 on, the text that did not fit comes first
        stream.flush()
        last = os.read(read, 1 << 20)
        if last.endswith(b"y"):
            break
    assert last.endswith(b"y")
    os.close(read)
    stream.write("z")
    stream.flush()
    flush_all()
    sys.stdout.close()


@pytest.mark.slow
def test_a_command_goes_on_when_the_reader_of_its_output_has_gone(command, tmp_path):
    options = ("--hidden-dim", "8", "--batch-size", "8", "--buffer-size", "64", "--log-every", "20")
    process = command(
        *("pyqmix-train", "--env", "two_step", "--total-steps", "200", "--run-dir", "run", "--threads", "1"),
        *(*options, "--eval-episodes", "2"),
    )
    process.stdout.readline()
    process.stdout.close()
    assert (process.stderr.read(), process.wait()) == ("", 0)
    run = tmp_path / "run"
    assert json.loads((run / "summary.json").read_text())["total_steps"] == 200
    assert read_metrics(run)[-1].steps == 200
    newest = checkpoint.find(run)
    Manifest.read(newest).verify()
    assert newest.name == "step_200"
