"""Progress is plain lines in a file and a live line on a terminal."""

import io

import pytest
from rich.console import Console

from pyqmix.run.display import Display
from pyqmix.run.metrics import Metrics

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


def test_the_win_rate_stands_behind_the_return():
    evaluated = Metrics(**{**vars(SECOND), "eval_win_rate": 0.85})
    later = Metrics(steps=3_000, episodes=700, updates=90, epsilon=0.5)
    assert "eval 7.500  won 85 %" in show(False, evaluated, later).splitlines()[-1]


def test_live_line_on_a_terminal():
    text = show(True, FIRST, SECOND)
    assert "\x1b[" in text
    assert "2,000" in text
    assert all(part in text for part in SHOWN)
    assert "run directory: [bold]x[/]" in text


@pytest.mark.parametrize("terminal", [False, True])
def test_quiet(terminal):
    assert show(terminal, FIRST, quiet=True) == ""
