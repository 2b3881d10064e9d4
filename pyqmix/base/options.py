"""Kinds of options: how a value is read from the command line, which values are allowed, how the error reads.

An option is declared once, as a field of a frozen dataclass: its type, its kind, its default and, in the docstring
below it, its sentence::

    batch_size: Annotated[int, integer(1)] = 32
    \"\"\"Episodes in a batch.\"\"\"

A field of type ``bool`` needs no kind. The class may name the TOPIC of its options, under which ``--help-all``
shows them; those that are marked ESSENTIAL are in ``--help``, too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from functools import lru_cache
from typing import Any, get_args, get_type_hints

from tyro.constructors import PrimitiveConstructorSpec

from pyqmix.base.errors import ConfigError, unknown
from pyqmix.base.registry import Registry

LARGEST_INT = 2**63 - 1
ESSENTIAL = object()  # marks an option that a first look at the help should show
Check = Callable[[str, object], None]


@dataclass(frozen=True)
class Kind(PrimitiveConstructorSpec[Any]):
    """A kind of option, for :data:`typing.Annotated`.

    Attributes:
        check: raises ConfigError for a name and a value that the option cannot have.
        names: of a choice, the names that are shown.
    """

    check: Check = lambda name, value: None
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Text:
    """The kind of a name: any text that is not empty, or None.

    Attributes:
        metavar: stands for it in the help.
    """

    metavar: str = "NAME"

    def check(self, name: str, value: object) -> None:
        """Raise ConfigError for any other value."""
        if value is not None and not (isinstance(value, str) and value):
            raise ConfigError(f"{name}: expected a name that is not empty, got {value!r}")


def integer(low: int, high: int = LARGEST_INT, optional: bool = False) -> Kind:
    """Make the kind of an integer in [low, high], or None where it is optional."""
    return _number("INT", _read_integer, optional, lambda name, value: require_int(name, value, low, high))


def integer_or(name: str, low: int, high: int = LARGEST_INT) -> Kind:
    """Make the kind of an integer in [low, high], or of one word in its place."""

    def check(option: str, value: object) -> None:
        if value == name:
            return
        if isinstance(value, str):
            raise ConfigError(f"{option}: expected {name} or an integer of at least {low}, got {value!r}")
        require_int(option, value, low, high)

    return _number(f"{name}|INT", _read_integer, False, check)


def number(
    low: float = -math.inf, high: float = math.inf, above: float = -math.inf, optional: bool = False
) -> Kind:
    """Make the kind of a finite number in [low, high] that is greater than ``above``."""
    return _number("FLOAT", float, optional, lambda name, value: require_number(name, value, low, high, above))


def one_of(*names: str) -> Kind:
    """Make the kind of a choice among names."""

    def check(name: str, value: object) -> None:
        if value not in names:
            raise unknown(name, value, names)

    return _kind("{" + ",".join(names) + "}", _itself, str, check, names)


def name_in(registry: Registry[Any]) -> Kind:
    """Make the kind of a name in a registry."""
    return _kind("{" + ",".join(registry.names) + "}|MODULE:NAME", _itself, str, registry.check, registry.names)


def names_in(registry: Registry[Any]) -> Kind:
    """Make the kind of several different names in a registry, a list or a tuple; nothing is imported by a name."""

    def check(name: str, value: object) -> None:
        if not isinstance(value, (list, tuple)):
            raise ConfigError(f"{name}: expected a list of names, got {value!r}")
        for number, each in enumerate(value):
            if each not in registry.names:
                raise unknown(name, each, registry.names)
            if each in value[:number]:
                raise ConfigError(f"{name}: expected different names, got {each!r} twice")

    return Kind(
        nargs="*",
        metavar="[{" + ",".join(registry.names) + "} ...]",
        instance_from_str=tuple,
        is_instance=lambda value: True,
        str_from_instance=list,
        check=check,
    )


def json_value(check: Check) -> Kind:
    """Make the kind of a value that is written as JSON; the check gets other text as it is."""
    return _kind("JSON", _read_json, json.dumps, check)


def check_json_object(name: str, value: object) -> None:
    """Raise ConfigError unless a value is None, or a JSON object."""
    if value is not None and not isinstance(value, Mapping):
        raise ConfigError(f"{name}: expected a JSON object of options, got {value!r}")
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        raise ConfigError(f"{name}: expected what JSON can hold, got {value!r}") from None


def option_names(options: type[Any]) -> tuple[str, ...]:
    """Return the names of a dataclass's options."""
    return tuple(field.name for field in fields(options))


@lru_cache
def kinds_of(options: type[Any]) -> dict[str, Kind | Text | None]:
    """Return the kind of each option of a dataclass; None for a flag."""
    kinds: dict[str, Kind | Text | None] = {}
    hints = get_type_hints(options, include_extras=True)
    for name in option_names(options):
        found = [each for each in get_args(hints[name]) if isinstance(each, (Kind, Text))]
        kinds[name] = found[0] if found else None
    return kinds


def check_each(options: object) -> None:
    """Check every option of a dataclass by itself.

    Raises:
        ConfigError: one has no usable value; the message names it, the expected values and the given one.
    """
    check_values(type(options), vars(options))


def check_values(options: type[Any], values: Mapping[str, Any], but: Collection[str] = ()) -> None:
    """Check values of a dataclass's options as :func:`check_each` does, without an object of the class.

    Args:
        options: the dataclass.
        values: all of its options, by name; others are left out.
        but: options that are not checked.

    Raises:
        ConfigError: one has no usable value.
    """
    for name, kind in kinds_of(options).items():  # type: ignore[arg-type]
        if name in but:
            continue
        if kind is not None:
            kind.check(name, values[name])
        elif not isinstance(values[name], bool):
            raise ConfigError(f"{name}: expected true or false, got {values[name]!r}")


def require_int(name: str, value: object, low: int, high: int = LARGEST_INT) -> None:
    """Check an integer option.

    Raises:
        ConfigError: it is not an integer, or lies outside [low, high].
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise ConfigError(f"{name}: expected an integer of at least {low}, got {value!r}")
    if value > high:
        raise ConfigError(f"{name}: expected an integer of at most {high:,}, got {value!r}")


def require_number(
    name: str, value: object, low: float = -math.inf, high: float = math.inf, above: float = -math.inf
) -> None:
    """Check a number.

    Raises:
        ConfigError: it is not a number, not finite, outside [low, high], or not greater than ``above``.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not _is_finite(value):
        raise ConfigError(f"{name}: expected a finite number, got {value!r}")
    if not low <= value <= high or value <= above:
        most = f" and at most {high:,g}" if high < math.inf else ""
        expected = f"above {above:g}{most}" if above > -math.inf else f"from {low:g} to {high:g}"
        raise ConfigError(f"{name}: expected a number {expected}, got {value!r}")


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        return False


def _number(metavar: str, read: Callable[[str], Any], optional: bool, check: Check) -> Kind:
    def read_or_leave(text: str) -> Any:
        """Read a number, and leave other text as it is, so that the check reports it."""
        try:
            return None if text == "None" else read(text)
        except ValueError:
            return text

    def check_given(name: str, value: object) -> None:
        if not (optional and value is None):
            check(name, value)

    return _kind(metavar, read_or_leave, str, check_given)


def _kind(
    metavar: str,
    read: Callable[[str], Any],
    write: Callable[[Any], str],
    check: Check,
    names: tuple[str, ...] = (),
) -> Kind:
    return Kind(
        nargs=1,
        metavar=metavar,
        instance_from_str=lambda arguments: read(arguments[0]),
        is_instance=lambda value: True,
        str_from_instance=lambda value: [write(value)],
        check=check,
        names=names,
    )


def _read_integer(text: str) -> int:
    """Read an integer, also one with an exponent, as 2e6, or with a point, as 2.5e6."""
    try:
        return int(text)
    except ValueError:
        if not float(text).is_integer():  # nor infinite, nor far larger than any integer that is allowed
            raise
        return int(Decimal(text.strip()))


def _itself(text: str) -> str:
    return text


def _read_json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
