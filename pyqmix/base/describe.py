"""Describes options for people, from their declarations: :mod:`pyqmix.base.options` has an example of one."""

from __future__ import annotations

import ast
import inspect
import json
import sys
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from functools import lru_cache
from textwrap import TextWrapper
from typing import Any, get_args, get_type_hints

import tyro

from pyqmix.base.command_line import dashed
from pyqmix.base.options import ESSENTIAL, Kind

_OR_ANY = "|MODULE:NAME"  # behind the names of a registry
_OF_TYPE: dict[Any, str] = {int: "INT", float: "FLOAT"}
_WIDEST_CHOICE = 26  # of names that stand for the value


@dataclass(frozen=True)
class Described:
    """An option as people read of it.

    Attributes:
        name: of the field.
        topic: of the class that declares it, its ``TOPIC``; None where it has none.
        sentence: the docstring below the field, and the names of a long choice.
        metavar: stands for its value; None: a flag.
        essential: whether it is among the few that a first look shows.
        positional: whether its value is given without its name.
        negated: whether the flag can be denied as ``--no-name``.
        default: the class's, None for a flag that cannot be denied; MISSING: a value is required.
    """

    name: str
    topic: str | None
    sentence: str
    metavar: str | None
    essential: bool
    positional: bool
    negated: bool
    default: Any

    @property
    def usage(self) -> str:
        """The option as it is typed."""
        option = dashed(self.name)
        if self.metavar is None:
            short = "-h, " if self.name == "help" else ""
            return f"{option}, {dashed(f'no_{self.name}')}" if self.negated else f"{short}{option}"
        return self.metavar if self.positional else f"{option} {self.metavar}"


def describe(options: type[Any]) -> list[Described]:
    """Describe the options of a dataclass, in the order of their declaration."""
    hints = get_type_hints(options, include_extras=True)
    found = []
    for field in fields(options):
        home = next(each for each in options.__mro__ if field.name in vars(each).get("__annotations__", ()))
        notes = get_args(hints[field.name])
        negated = tyro.conf.FlagCreatePairsOff not in notes
        metavar, choice = _metavar(hints[field.name], notes)
        found.append(
            Described(
                name=field.name,
                topic=vars(home).get("TOPIC"),
                sentence=" ".join(filter(None, [_sentences(home).get(field.name), choice])),
                metavar=metavar,
                essential=any(note is ESSENTIAL for note in notes),
                positional=tyro.conf.Positional in notes,
                negated=negated,
                default=field.default if negated or field.default is not False else None,
            )
        )
    return found


def shown(value: object) -> str:
    """Write a value as on the command line; empty for None and for a value that must be given."""
    if value is None or value is MISSING or value == ():
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    return json.dumps(value) if isinstance(value, (list, tuple, dict)) else str(value)


def attributes(options: type[Any]) -> str:
    """Return the section of a docstring that describes the options as attributes."""
    texts = [f"{each.name}: {each.sentence}{_default(each)}" for each in describe(options)]
    wrap = TextWrapper(110, initial_indent=" " * 4, subsequent_indent=" " * 8, break_long_words=False)
    return "\n".join(["Attributes:", *map(wrap.fill, texts)])


def _default(option: Described) -> str:
    known = option.default is None or option.default is MISSING
    return "" if known else f" Default: {option.default!r}."


def _metavar(hint: Any, notes: tuple[Any, ...]) -> tuple[str | None, str]:
    """Return the placeholder of a value, and the names of a long choice."""
    if (notes[0] if notes else hint) is bool:
        return None, ""
    default = _OF_TYPE.get(notes[0] if notes else hint, "VALUE")
    metavar = next(filter(None, (getattr(note, "metavar", None) for note in notes)), default)
    names = next((note.names for note in notes if isinstance(note, Kind)), ())
    if not names or (len(metavar) <= _WIDEST_CHOICE and not metavar.endswith(_OR_ANY)):
        return metavar, ""
    return "NAME", f"One of {', '.join(names)}{', or MODULE:NAME' if metavar.endswith(_OR_ANY) else ''}."


def _sentences(declaring: type[Any]) -> dict[str, str]:
    """Return the docstrings below a class's fields; none where its source is not at hand."""
    return _of_module(declaring.__module__).get(declaring.__qualname__, {})


@lru_cache
def _of_module(name: str) -> dict[str, dict[str, str]]:
    try:
        tree = ast.parse(inspect.getsource(sys.modules[name]))
    except (KeyError, OSError, TypeError, SyntaxError):
        return {}
    return {node.name: dict(_below(node)) for node in tree.body if isinstance(node, ast.ClassDef)}


def _below(declaration: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, below in zip(declaration.body, declaration.body[1:], strict=False):
        name = field.target if isinstance(field, ast.AnnAssign) else None
        text = below.value if isinstance(below, ast.Expr) else None
        if isinstance(name, ast.Name) and isinstance(text, ast.Constant):
            yield name.id, " ".join(str(text.value).split())
