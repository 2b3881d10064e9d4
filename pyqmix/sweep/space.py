"""The options over which a search goes: distributions, drawn at random or by Optuna."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pyqmix.base.errors import ConfigError, near

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

RANGES = ("uniform", "log_uniform", "integer", "log_integer")
_DIGITS = 4  # of a drawn number, so that a run's name says it exactly


@dataclass(frozen=True)
class Distribution:
    """The values that an option may have.

    Attributes:
        kind: of RANGES, or ``choice``.
        low, high: the ends of a range, both included.
        choices: of a choice.
    """

    kind: str
    low: float = 0.0
    high: float = 0.0
    choices: tuple[Any, ...] = ()

    @property
    def is_log(self) -> bool:
        """Whether the logarithm is uniform."""
        return self.kind.startswith("log_")

    def ends(self) -> tuple[Any, ...]:
        """Return the values to check before a search: the choices, or the ends of the range."""
        return self.choices or (self.low, self.high)

    def draw(self, generator: np.random.Generator) -> Any:
        """Draw a value."""
        if self.kind == "choice":
            return self.choices[int(generator.integers(len(self.choices)))]
        if self.kind == "integer":
            return int(generator.integers(int(self.low), int(self.high), endpoint=True))
        if not self.is_log:
            return self.rounded(generator.uniform(self.low, self.high))
        return self.rounded(math.exp(generator.uniform(math.log(self.low), math.log(self.high))))

    def rounded(self, value: Any) -> Any:
        """Round a number of the range to the digits of a run's name."""
        if self.kind in ("integer", "log_integer"):
            return int(min(max(round(value), self.low), self.high))
        if self.kind in ("uniform", "log_uniform"):
            return min(max(float(f"{value:.{_DIGITS}g}"), self.low), self.high)
        return value

    def for_optuna(self) -> BaseDistribution:
        """Return Optuna's distribution; a choice is the index among the choices."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if self.kind == "choice":
            return CategoricalDistribution(range(len(self.choices)))
        if self.kind in ("integer", "log_integer"):
            return IntDistribution(int(self.low), int(self.high), log=self.is_log)
        return FloatDistribution(self.low, self.high, log=self.is_log)

    def from_optuna(self, value: Any) -> Any:
        """Return the option's value for Optuna's."""
        return self.choices[value] if self.kind == "choice" else self.rounded(value)


def read_distribution(name: str, value: object) -> Distribution:
    """Read a list of choices, or a mapping as ``{log_uniform: [1e-4, 1e-2]}``.

    Raises:
        ConfigError: it is neither.
    """
    if isinstance(value, list) and value:
        return Distribution("choice", choices=tuple(value))
    if not isinstance(value, Mapping) or len(value) != 1:
        raise ConfigError(
            f"{name}: expected a list of values, or one of {', '.join(RANGES)}: [low, high], got {value!r}"
        )
    ((kind, ends),) = value.items()
    if kind not in RANGES:
        raise ConfigError(f"{name}: expected one of {', '.join(RANGES)}, got {kind!r}{near(kind, RANGES)}")
    if not isinstance(ends, list) or len(ends) != 2 or not all(_is_number(end, kind) for end in ends):
        number = "integers" if "integer" in kind else "numbers"
        raise ConfigError(f"{name}: expected {kind}: [low, high] with two {number}, got {ends!r}")
    low, high = ends
    if not low < high or (kind.startswith("log_") and low <= 0):
        above = "0 < low < high" if kind.startswith("log_") else "low < high"
        raise ConfigError(f"{name}: expected {kind}: [low, high] with {above}, got {ends!r}")
    return Distribution(kind, low, high)


def _is_number(value: object, kind: str) -> bool:
    kinds = int if "integer" in kind else (int, float)
    return isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)
