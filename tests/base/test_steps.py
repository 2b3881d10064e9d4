"""Numbers of steps that may be a share of the run: which are taken, and how many steps they are."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyqmix.base.errors import ConfigError
from pyqmix.base.steps import in_steps, require_steps, steps_or_share


@pytest.mark.parametrize(
    ("value", "total_steps", "expected"),
    [
        (7, 1, 7),
        ("40%", 2_000_000, 800_000),
        ("2.5%", 1_000, 25),
        ("0.29%", 10_000, 29),  # 28.999999999999996 in floating point
        ("100%", 2**63 - 1, 2**63 - 1),
        ("99.9%", 1_000, 999),
        ("33%", 10, 3),
        ("66.7%", 10, 6),
        ("9.999999999%", 10, 1),
        ("0.000000001%", 5, 1),
        ("040.0%", 100, 40),
    ],
)
def test_steps_of_a_share(value, total_steps, expected):
    require_steps("eps_steps", value)
    assert in_steps(value, total_steps) == expected


@given(st.integers(1, 100_000), st.integers(1, 2**63 - 1))
def test_a_share_is_exact_and_rounded_down(thousandths, total_steps):
    text = f"{thousandths // 1_000}.{thousandths % 1_000:03}%"
    require_steps("eps_steps", text)
    assert in_steps(text, total_steps) == max(1, Fraction(thousandths * total_steps, 100_000).__floor__())


@pytest.mark.parametrize(
    "value",
    [
        *("0%", "0.0%", "-5%", "+5%", "100.1%", "101%", "1000%", "nan%", "inf%", "1e1%", "0.0000000001%", "٤٠%"),
        *("40 %", " 40%", "40%\n", "%", "40%%", "4_0%", ".5%", "5.%", "40", "0.4", "abc", ""),
        *(None, True, False, 0, -3, 1.5, 40.0, ["40%"], b"40%"),
    ],
)
def test_neither_steps_nor_a_share(value):
    with pytest.raises(ConfigError) as refusal:
        require_steps("eps_steps", value)
    assert str(refusal.value) == (
        "eps_steps: expected an integer of at least 1, or a share of the run that is above 0% and at most 100%, "
        f"as 40%, got {value!r}"
    )


def test_too_many_steps():
    with pytest.raises(ConfigError, match=r"^eps_steps: expected an integer of at most 9,223,372,036,854,775,807"):
        require_steps("eps_steps", 2**63)


def test_none_where_it_is_optional():
    steps_or_share(optional=True).check("per_beta_steps", None)
    with pytest.raises(ConfigError, match="got None"):
        steps_or_share().check("eps_steps", None)


@pytest.mark.parametrize(("text", "value"), [("40%", "40%"), ("2e4", 20_000), ("None", None), ("abc", "abc")])
def test_the_command_line_is_read_and_written(text, value):
    kind = steps_or_share(optional=True)
    assert kind.instance_from_str([text]) == value
    assert kind.instance_from_str(kind.str_from_instance(value)) == value
