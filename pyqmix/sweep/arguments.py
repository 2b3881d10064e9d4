"""A sweep's options from the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from pyqmix.base.errors import ConfigError
from pyqmix.base.options import Kind, Text
from pyqmix.sweep.known import OptionKind, known_kinds, require_kind

_FLAGS = {"true": True, "True": True, "false": False, "False": False}


def read_arguments(arguments: Sequence[str]) -> dict[str, Any]:
    """Read options of runs as ``pyqmix-train`` has them: ``--lr=0.1``, ``--lr 0.1``, ``--double-q``.

    ``--preset`` is among them.

    Raises:
        ConfigError: one is unknown, or lacks its value.
    """
    values: dict[str, Any] = {}
    left = list(arguments)
    while left:
        argument = left.pop(0)
        option, equals, text = argument.partition("=")
        name = option[2:].replace("-", "_")
        if not option.startswith("--"):
            raise ConfigError(f"expected options of pyqmix-train behind --, got {argument!r}")
        if not equals and _is_flag(name.removeprefix("no_")):
            values[name.removeprefix("no_")] = not name.startswith("no_")
            continue
        if not equals:
            kind = _kind(name)
            if isinstance(kind, Kind) and kind.nargs == "*":
                texts = list(takewhile(lambda word: not word.startswith("--"), left))
                values[name], left = kind.instance_from_str(texts), left[len(texts) :]
                continue
            if not left:
                raise ConfigError(f"{option}: expected a value")
            text = left.pop(0)
        values[name] = _value(name, text)
    return values


def read_grid(arguments: Sequence[str]) -> dict[str, list[Any]]:
    """Read options with their values: ``mixer=qmix,vdn``; of one that takes JSON, ``payoff=[[1,0]],[[2,0]]``.

    Raises:
        ConfigError: one is unknown, or has no value.
    """
    grid: dict[str, list[Any]] = {}
    for argument in arguments:
        name, equals, text = argument.partition("=")
        name = name.replace("-", "_")
        if not equals or not text:
            raise ConfigError(f"grid: expected NAME=VALUE,VALUE, as mixer=qmix,vdn, got {argument!r}")
        kind = require_kind(name)
        if isinstance(kind, Kind) and kind.metavar == "JSON":
            try:
                grid[name] = json.loads(f"[{text}]")
            except (ValueError, RecursionError) as error:
                raise ConfigError(f"grid: expected JSON values of {name}, got {text[:80]!r}") from error
        else:
            grid[name] = [_value(name, part) for part in text.split(",")]
    return grid


def read_seeds_arguments(words: Sequence[str]) -> Any:
    """Read ``1 2 3`` or ``0:10``, which :func:`pyqmix.sweep.plan.read_seeds` checks."""
    if len(words) == 1 and ":" in words[0]:
        return words[0]
    return [int(word) if re.fullmatch(r"\d{1,19}", word) else word for word in words]


def _kind(name: str) -> OptionKind:
    return Text() if name == "preset" else require_kind(name)


def _value(name: str, text: str) -> Any:
    kind = _kind(name)
    if isinstance(kind, Kind):
        return kind.instance_from_str([text])
    return text if isinstance(kind, Text) else _FLAGS.get(text, text)


def _is_flag(name: str) -> bool:
    return known_kinds().get(name, Text()) is None
