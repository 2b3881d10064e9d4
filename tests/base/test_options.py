"""Numbers are read as a user of the shell writes them."""

import pytest

from pyqmix.base.options import integer


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2e6", 2_000_000),
        ("2_000_000", 2_000_000),
        ("2.5E3", 2_500),
        ("3.0", 3),
        ("9007199254740993.", 2**53 + 1),
    ],
)
def test_integers(text, value):
    found = integer(1).instance_from_str([text])
    assert (found, type(found)) == (value, int)


@pytest.mark.parametrize("text", ["1e-3", "2.5", "1e400", "1e999999999", "inf", "nan", "", "many", "0x10", "1e"])
def test_what_is_no_integer_is_left_to_the_check(text):
    assert integer(1).instance_from_str([text]) == text
