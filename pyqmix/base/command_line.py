"""Options as they are written on a command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyqmix.base.options import Kind, kinds_of


def dashed(name: str) -> str:
    """Write an option's name as on the command line: ``total_steps`` as ``--total-steps``."""
    return f"--{name.replace('_', '-')}"


def as_arguments(options: Mapping[str, Any], kind: type[Any]) -> list[str]:
    """Write options as arguments, which are not quoted for a shell.

    Args:
        options: values by name. One that is None and has no word for that on the command line is left out.
        kind: the dataclass that declares them.
    """
    kinds, arguments = kinds_of(kind), []  # type: ignore[arg-type]
    for name, value in options.items():
        option, how = dashed(name), kinds[name]
        if isinstance(value, bool):
            arguments.append(option if value else dashed(f"no_{name}"))
        elif isinstance(how, Kind):
            texts = how.str_from_instance(value)
            arguments += [option, *texts] if how.nargs == "*" else [f"{option}={texts[0]}"]
        elif value is not None:
            arguments.append(f"{option}={value}")
    return arguments
