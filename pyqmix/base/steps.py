"""The kind of an option that is a number of environment steps, or the share of the run that has them: ``40%``."""

from __future__ import annotations

import dataclasses
import re
from fractions import Fraction

from pyqmix.base.errors import ConfigError
from pyqmix.base.options import Kind, integer, require_int

Steps = int | str
"""A number of environment steps, or text as ``40%`` or ``2.5%``: a share of the run's ``total_steps``."""

STEPS_METAVAR = "INT|N%"  # stands for such a value in the help
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,9})?)%")


def steps_or_share(optional: bool = False) -> Kind:
    """Make the kind of Steps: at least 1, or above 0% and at most 100%; or None where it is optional."""

    def check(name: str, value: object) -> None:
        if not (optional and value is None):
            require_steps(name, value)

    return dataclasses.replace(integer(1), metavar=STEPS_METAVAR, check=check)  # which leaves text as it is


def require_steps(name: str, value: object) -> None:
    """Check an option that has Steps.

    Raises:
        ConfigError: it is neither an integer of at least 1 nor a share of the run.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        require_int(name, value, 1)
    elif not isinstance(value, str) or not 0 < _percent(value) <= 100:
        raise ConfigError(
            f"{name}: expected an integer of at least 1, or a share of the run that is above 0% and at most 100%, "
            f"as 40%, got {value!r}"
        )


def in_steps(value: Steps, total_steps: int) -> int:
    """Return the environment steps that an option means: of a share the exact number, rounded down, at least 1.

    Args:
        value: of the option; it has been checked.
        total_steps: of the run.
    """
    return value if isinstance(value, int) else max(1, int(_percent(value) * total_steps / 100))


def _percent(text: str) -> Fraction:
    """Return the number in front of the sign; 0, which no share is, where the text is something else."""
    found = _SHARE.fullmatch(text)
    return Fraction(found[1]) if found else Fraction(0)
