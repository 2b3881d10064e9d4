"""Progress is plain lines in a file and a live line on a terminal."""

import io
import json
import os
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
    *("episodes 500", "eps 0.75", "loss 0.1250", "Q 3.50", "return 6.25", "eval 7.500"),
    "2,345 steps/s  0.0200 updates/step",
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
    assert first.strip() == "1,000/4,000 steps  episodes 500  eps 0.75  2,345 steps/s  left --"
    assert second.split()[:2] == ["2,000/4,000", "steps"]
    assert all(part in second for part in SHOWN)
    assert second.split()[-2:] == ["left", "0:00"]


def test_evaluation_stays_in_sight():
    later = Metrics(steps=3_000, episodes=700, updates=90, epsilon=0.5)
    assert "eval 7.500" in show(False, SECOND, later).splitlines()[-1]


def test_the_win_rate_stands_first():
    evaluated = Metrics(**{**vars(SECOND), "eval_win_rate": 0.85})
    later = Metrics(steps=3_000, episodes=700, updates=90, epsilon=0.5)
    assert "steps  won 85 %  eval 7.500  episodes" in show(False, evaluated, later).splitlines()[-1]
    (never,) = show(False, Metrics(**{**vars(evaluated), "eval_win_rate": 0.0})).splitlines()[1:]
    assert "steps  won 0 %" in never


@pytest.mark.parametrize("width", [40, 80, 140])
def test_a_narrow_terminal_cuts_the_less_important_numbers(width):
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, color_system=None, width=width, highlight=False)
    with Display(4_000, console) as display:
        display.metrics(Metrics(**{**vars(SECOND), "eval_win_rate": 0.85}))
    last = next(line for line in reversed(file.getvalue().splitlines()) if "steps" in line)
    assert "2,000/4,000 steps " in last
    assert "won 85 %" in last
    assert ("return 6.25" in last, "2,345 steps/s" in last) == (width > 40, width > 80)
    assert len(last.replace("\r", "").replace("\x1b[2K", "")) <= width


def test_live_line_on_a_terminal():
    text = show(True, FIRST, SECOND)
    assert "\x1b[" in text
    assert "2,000" in text
    assert all(part in text for part in SHOWN)
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
    stream.flush()
    assert os.read(read, 1 << 20).endswith(b"y")
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
