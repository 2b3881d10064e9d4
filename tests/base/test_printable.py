"""Text that goes to a terminal has no control characters."""

import pytest

from pyqmix import Config, ConfigError
from pyqmix.base.printable import one_line, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 中", "plain é 中"),
        ("\x1b[31mred\x07", "\ufffd[31mred\ufffd"),
        ("a\r\x9bK\udcff", "a\ufffd\ufffdK\ufffd"),
        ("two\nlines", "two\nlines"),
    ],
)
def test_what_is_not_printable_is_replaced(text, shown):
    assert printable(text) == shown


def test_one_line():
    assert one_line("two\nlines") == "two\ufffdlines"
    assert one_line("x" * 81) == "x" * 79 + "…"
    assert one_line("x" * 80) == "x" * 80


def test_options_are_text_that_can_be_saved():
    with pytest.raises(ConfigError, match="run_dir: expected text that UTF-8 can hold"):
        Config(env="two_step", run_dir="r\udcff")
