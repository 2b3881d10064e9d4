"""What the commands share: options by tyro, and mistakes as one line on stderr with exit code 2."""

from __future__ import annotations

import dataclasses
import io
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from functools import partial
from typing import Any, NoReturn, TypeVar

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from pyqmix.base.errors import ConfigError, DivergenceError, EnvError, near

T = TypeVar("T")
USER_ERRORS = (ConfigError, EnvError, DivergenceError, MemoryError, OSError)
_RULE = re.compile("[-─]{5}")
_registry = ConstructorRegistry()


def fail(program: str, message: object) -> NoReturn:
    """Print one line on stderr and exit with code 2."""
    print(f"{program}: error: {' '.join(str(message).split())}", file=sys.stderr)
    sys.exit(2)


def parse(
    kind: Callable[..., T], program: str, arguments: Sequence[str], also: Sequence[str] = (), **options: Any
) -> T:
    """Parse arguments into the dataclass ``kind``; what tyro and ``kind`` refuse becomes one line.

    Args:
        kind: a dataclass that checks its values.
        program: the command's name.
        arguments: of the command line.
        also: options that the command reads apart from these, to suggest for a mistyped one.
        **options: of ``tyro.cli``.
    """
    complaint = io.StringIO()
    try:
        with redirect_stderr(complaint):
            parsed, surplus = tyro.cli(
                kind, prog=program, args=arguments, registry=_registry, return_unknown_args=True, **options
            )
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        if isinstance(stop.__context__, ConfigError):  # newer tyro turns it into a box of its own
            fail(program, option_style(stop.__context__, kind))
        fail(program, _sentence(complaint.getvalue()))
    except ConfigError as error:
        fail(program, option_style(error, kind))
    if surplus:
        known = [*(f"--{name.replace('_', '-')}" for name in _names(kind)), *also]
        fail(program, f"unknown option {surplus[0]!r}{near(surplus[0].partition('=')[0], known)}")
    return parsed


def option_style(error: Exception, kind: Callable[..., Any], also: Sequence[str] = ()) -> str:
    """Write an option's name as on the command line: ``total_steps: …`` as ``--total-steps: …``."""
    name, colon, rest = str(error).partition(":")
    option = f"--{name.replace('_', '-')}"
    return f"{option}:{rest}" if colon and (name in _names(kind) or option in also) else str(error)


def _names(kind: Callable[..., Any]) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]


def _sentence(box: str) -> str:
    """Take the message out of tyro's box: what stands between its first two rules, the title's and the next."""
    lines = [line.strip("│ ") for line in box.splitlines()]
    rules = [number for number, line in enumerate(lines) if _RULE.search(line)]
    return " ".join(lines[rules[0] + 1 : rules[1]] if len(rules) > 1 else lines)


@_registry.primitive_rule
def _number(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """Read a number, and leave what is none as it is: the dataclass says what it expected."""
    for kind in (int, float):
        if info.type in (kind, kind | None):
            return PrimitiveConstructorSpec[Any](
                nargs=1,
                metavar=kind.__name__.upper(),
                instance_from_str=partial(_read, kind),
                is_instance=lambda value: True,
                str_from_instance=lambda value: [str(value)],
            )
    return None


def _read(kind: Callable[[str], Any], arguments: list[str]) -> Any:
    (text,) = arguments
    try:
        return None if text == "None" else kind(text)
    except ValueError:
        return text
