"""Shared by the commands: options by tyro, and mistakes as one line on stderr with exit code 2."""

from __future__ import annotations

import dataclasses
import inspect
import io
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any, NoReturn, TypeVar, cast

import tyro

from pyqmix.base.command_line import dashed
from pyqmix.base.describe import describe
from pyqmix.base.errors import (
    ConfigError,
    DivergenceError,
    EnvError,
    RankError,
    ResourceError,
    environment_traceback,
    near,
)
from pyqmix.base.printable import printable
from pyqmix.cli.help import print_help

T = TypeVar("T")
NAMES = ("env", "task", "agent", "mixer")  # options whose values may name a module
USER_ERRORS = (ConfigError, EnvError, DivergenceError, RankError, ResourceError, MemoryError, OSError)
_RULE = re.compile("[-─]{5}")


def import_from_here(names: Iterable[str | None], trust: bool) -> None:
    """Let a module that the user named lie in the current folder, behind all those that are installed.

    The folder is not searched otherwise: it may be somebody else's run, and hold modules with the names of
    optional packages that are not installed here.

    Args:
        names: of environment, task and networks, as the command line has them.
        trust: whether it trusts the names in a run's folder.
    """
    if not trust and not any(name and re.search("[:.]", name) for name in names):
        return
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)


def fail(program: str, message: object, cause: BaseException | None = None) -> NoReturn:
    """Print one line on stderr and exit with code 2; above it the traceback of an environment's own exception.

    Args:
        program: the command's name.
        message: the line.
        cause: the error that it tells of.
    """
    if cause is not None and (text := environment_traceback(cause)) is not None:
        print(text, file=sys.stderr, end="")
    print(f"{program}: error: {printable(' '.join(str(message).split()))}", file=sys.stderr)
    sys.exit(2)


def parse(
    kind: Callable[..., T],
    program: str,
    arguments: Sequence[str],
    also: Sequence[str] = (),
    elsewhere: Callable[[str], str | None] = lambda name: None,
    **options: Any,
) -> T:
    """Parse arguments into the dataclass ``kind``, or show the help; refusals become one line.

    Args:
        kind: a dataclass that checks its values.
        program: the command's name.
        arguments: of the command line.
        also: options that the command reads by itself, as further suggestions for a mistyped one.
        elsewhere: says why ``kind`` does not have an option that exists; None for one that does not.
        **options: of ``tyro.cli``.
    """
    if not {"-h", "--help"}.isdisjoint(arguments):
        print_help(program, inspect.cleandoc(kind.__doc__ or ""), describe(cast(type[Any], kind)))
        sys.exit(0)
    complaint = io.StringIO()
    try:
        with redirect_stderr(complaint):
            parsed, surplus = tyro.cli(kind, args=arguments, add_help=False, return_unknown_args=True, **options)
    except SystemExit as stop:
        if isinstance(stop.__context__, ConfigError):  # newer tyro turns it into a box of its own
            fail(program, option_style(stop.__context__, kind))
        fail(program, _sentence(complaint.getvalue()))
    except ConfigError as error:
        fail(program, option_style(error, kind))
    if surplus:
        option = surplus[0].partition("=")[0]
        name = option.replace("-", "_").removeprefix("__").removeprefix("no_")
        if (reason := elsewhere(name)) is not None:
            fail(program, f"{option}: {reason}")
        known = [*map(dashed, _names(kind)), *also]
        fail(program, f"unknown option {surplus[0]!r}{near(option, known)}")
    return parsed


def option_style(error: Exception, kind: Callable[..., Any], also: Sequence[str] = ()) -> str:
    """Write an option's name as on the command line: ``total_steps: …`` as ``--total-steps: …``."""
    name, colon, rest = str(error).partition(":")
    option = dashed(name)
    return f"{option}:{rest}" if colon and (name in _names(kind) or option in also) else str(error)


def _names(kind: Callable[..., Any]) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]


def _sentence(box: str) -> str:
    """Take the message out of tyro's box: the lines between the rule with the title and the next rule."""
    lines = [line.strip("│ ") for line in box.splitlines()]
    rules = [number for number, line in enumerate(lines) if _RULE.search(line)]
    return " ".join(lines[rules[0] + 1 : rules[1]] if len(rules) > 1 else lines)
