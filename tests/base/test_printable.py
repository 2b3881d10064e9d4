"""Text that goes to a terminal has no control characters."""

import pytest

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
