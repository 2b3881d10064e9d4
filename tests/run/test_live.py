"""The live rows: what fits is shown whole, the most important first, and nothing stays behind."""

import re

import pytest
from rich.console import Console
from screen import Screen

from pyqmix.run import display as module
from pyqmix.run import live
from pyqmix.run.columns import cells, clock, counts, fitting, short
from pyqmix.run.display import Display
from pyqmix.run.live import LiveRows, Rows
from pyqmix.run.metrics import Metrics
from pyqmix.run.sparkline import sparkline
from pyqmix.run.status import Status

POINT = Metrics(
    **{"steps": 33_441, "episodes": 608, "updates": 90, "epsilon": 0.75, "loss": 0.125, "q_mean": 3.5},
    **{"train_return": 6.25, "eval_return_mean": 7.5, "eval_win_rate": 0.35, "env_steps_per_second": 2_345.0},
    updates_per_env_step=0.02,
)
NUMBERS = [
    *("return 6.250", "greedy 7.500", "won 35 %", "2,345 steps/s", "eps 0.75", "loss 0.1250", "Q 3.500"),
    *("0.0200 updates/step", "608 episodes"),
]


def status_at(steps, total, point=POINT, seconds=3753):
    status = Status(total)
    status.take(point)
    status.steps, status.seconds_left = steps, lambda: seconds
    return status


def console(screen, height=24, **options):
    return Console(file=screen, force_terminal=True, width=screen.width, height=height, highlight=False, **options)


def drawn(status, width, height=24):
    terminal = console(Screen(width), height)
    rows = Rows(status)
    rows.draw(terminal)
    terminal.print(rows)
    return terminal.file.text


@pytest.mark.parametrize("total", [40_000, 2_000_000, 20_000_000_000])
def test_every_width_shows_what_fits_whole_and_the_most_important_first(total):
    for width in range(40, 151):
        progress, curve, numbers = drawn(status_at(33_441, total), width)
        assert max(map(len, (progress, curve, numbers))) <= width - live.MARGIN
        assert re.fullmatch(r" *(33,441/[\d,]+( steps)?|33\.4k/[\d.]+[kMG])  [━╺╸]{4,}  left 1:02:33", progress)
        assert re.fullmatch(r" *greedy( return)?  ▁ +best 7\.500", curve)
        shown = numbers.split("  ")
        assert shown == NUMBERS[: len(shown)]
        if len(shown) < len(NUMBERS):
            assert len("  ".join(NUMBERS[: len(shown) + 1])) > min(width - live.MARGIN, live.WIDEST)
    assert len(shown) == len(NUMBERS)


def test_the_numbers_of_three_common_widths():
    assert [len(drawn(status_at(33_441, 2_000_000), width)[2].split("  ")) for width in (40, 80, 140)] == [3, 6, 9]
    assert drawn(status_at(33_441, 40_000), 40)[0].startswith("33,441/40,000  ")
    assert drawn(status_at(33_441, 2_000_000), 80)[0].startswith("   33,441/2,000,000 steps  ")


def test_a_tiny_terminal_shows_less():
    status = status_at(33_441, 2_000_000)
    assert [len(drawn(status, 40, height)) for height in (2, 5, 6)] == [1, 2, 3]
    assert drawn(status, 30) == [" 33.4k/2.0M  left 1:02:33", "return 6.250  greedy 7.500"]
    for width in range(1, 40):
        assert all(len(row) <= max(1, width - live.MARGIN) for row in drawn(status, width))


def test_missing_numbers_keep_their_place():
    first = Metrics(steps=10, episodes=1, updates=0, epsilon=1.0)
    texts = [cell.text for cell in cells(first, None)]
    assert texts[:3] == ["return --", "greedy --", "-- steps/s"]
    won = [cell.text for cell in cells(Metrics(**{**vars(first), "train_win_rate": 0.5}), None)]
    assert won[2] == "won --"
    before = Status(100)
    assert before.seconds_left() is None
    assert len(drawn(before, 80)) == 1
    assert drawn(before, 80)[0].endswith("left --")


def test_no_number_stands_without_those_before_it():
    long, short_one = cells(POINT, POINT)[3], cells(POINT, POINT)[4]
    assert fitting([short_one, long, short_one], 20) == [short_one]


def test_the_end_leaves_nothing_behind():
    screen = Screen(60)
    with Display(100, console(screen)) as display:
        display.message("before")
        for steps in (10, 20):
            display.steps(steps)
            display.metrics(POINT)
            display._live.refresh()
        display.message("during")
        assert len(screen.text) == 5
        display.end()
        display.message("closing")
    assert screen.text == ["before", "during", "closing"]


def test_messages_wrap_between_words_and_commands_do_not():
    screen = Screen(20)
    with Display(100, Console(file=screen, force_terminal=True, width=20, soft_wrap=True)) as display:
        display.message("some words [b]and[/b] in a row")
        display.message("at /a/long/path/to/somewhere")
        display.message("continue with: a command", whole=True)
    assert screen.text == [
        *("some words", "[b]and[/b] in a row", "at", "/a/long/path/to/some", "where"),
        *("continue with: a com", "mand"),
    ]


def test_an_error_leaves_nothing_behind():
    screen = Screen(60)
    with pytest.raises(ValueError, match="of a run"), Display(100, console(screen)) as display:
        display.metrics(POINT)
        display._live.refresh()
        raise ValueError("of a run")
    assert screen.text == []


@pytest.mark.parametrize("widths", [(140, 60), (140, 60, 40), (80, 40, 140, 50)])
def test_rows_that_a_narrower_terminal_has_wrapped_are_erased_whole(widths):
    screen = Screen(widths[0])
    terminal = console(screen)
    with LiveRows(terminal, status_at(33_441, 2_000_000)) as rows:
        terminal.print("message")
        for width in widths[1:]:
            screen.resize(width)
            rows.refresh()  # not yet told of the new width
            terminal.width = width
            rows.refresh()
            assert len(screen.text) == 4
            assert max(map(len, screen.text)) <= width - live.MARGIN
    assert screen.text == ["message"]


def test_a_signal_s_line_stands_above_the_rows(monkeypatch):
    screen = Screen(80)
    with Display(100, console(screen)) as display:
        assert not display.notice("to a file") or module.os.isatty(2)
        monkeypatch.setattr(module.os, "isatty", lambda descriptor: True)
        display.metrics(POINT)
        assert display.notice("SIGINT: training ends")
        display._live.refresh()
        assert screen.text[0] == "SIGINT: training ends"
        assert len(screen.text) == 4
    assert screen.text == ["SIGINT: training ends"]
    assert not display.notice("later")


def test_a_resumed_run_shows_its_earlier_evaluations():
    screen = Screen(80)
    with Display(100, console(screen)) as display:
        display.go_on([Metrics(**{**vars(POINT), "eval_return_mean": float(mean)}) for mean in (1, 3, 2)])
        display._live.refresh()
        assert any("▁█▅" in row and row.endswith("best 3.000") for row in screen.text)


def test_the_time_left_is_that_of_this_process(monkeypatch):
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    status = Status(3_000)
    status.move(1_000)
    assert status.seconds_left() is None
    now = 110.0
    status.move(2_000)
    assert status.seconds_left() == pytest.approx(10)
    now = 113.0
    assert status.seconds_left() == pytest.approx(7)
    status.move(3_100)
    assert status.seconds_left() == 0


def test_no_colour_keeps_the_rows(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    screen, written = Screen(80), []
    write = screen.write
    screen.write = lambda text: written.append(text) or write(text)
    with LiveRows(console(screen), status_at(33_441, 2_000_000)) as rows:
        rows.refresh()
        assert len(screen.text) == 3
    assert not re.search(r"\x1b\[[\d;]*3\dm|38;", "".join(written))


def test_sparklines():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([0, 0, 7, 7, 3, 4], 3) == "▁█▅"
    assert sparkline([2, 2], 8) == "▁▁"
    assert sparkline([float("nan"), 1, float("inf"), 2], 8) == "▁█"
    assert sparkline([], 8) == sparkline([1, 2], 0) == ""
    assert len(sparkline(range(1_000), 37)) == 37


def test_forms_of_numbers():
    assert [clock(seconds) for seconds in (None, 0, 61.9, 3_600, 360_000)] == [
        "--",
        "0:00",
        "1:01",
        "1:00:00",
        "100:00:00",
    ]
    assert [short(value) for value in (0.25, -12.3456, 123.456, 12345.6)] == ["0.250", "-12.35", "123.5", "12,346"]
    assert counts(5, 2_000_000) == ["        5/2,000,000 steps", "        5/2,000,000", "     5/2.0M"]
    assert counts(999_999, 10**6)[-1] == "999.9k/1.0M"
