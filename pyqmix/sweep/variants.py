"""Named sets of options of a sweep, such as presets or settings that go together, and the tasks of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyqmix.base.errors import ConfigError

LONGEST_NAME = 60


@dataclass(frozen=True)
class Variant:
    """Options that runs have together, under a name.

    Attributes:
        name: in the folders' names, figures and tables; empty where a sweep has no variants.
        options: they replace the sweep's.
        preset: in place of the sweep's; None is the sweep's.
        tasks: in place of the sweep's; None are the sweep's.
    """

    name: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    preset: str | None = None
    tasks: tuple[str | None, ...] | None = None


def read_variants(value: object, reserved: Sequence[str]) -> dict[str, Variant]:
    """Read variants by their names: each has options, and may have ``preset`` and ``task``.

    Args:
        value: of the sweep's file; None are no variants.
        reserved: names that a variant may not have as options.

    Raises:
        ConfigError: they are something else.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not value:
        raise ConfigError(f"variants: expected names, each with options, got {value!r}")
    return {name: _variant(name, options, reserved) for name, options in value.items()}


def _variant(name: str, value: object, reserved: Sequence[str]) -> Variant:
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise ConfigError(f"variants: expected a name of 1 to {LONGEST_NAME} characters in a line, got {name!r}")
    if value is not None and not isinstance(value, Mapping):
        raise ConfigError(f"variants: {name}: expected options, got {value!r}")
    options = dict(value or {})
    tasks = read_tasks(options.pop("task")) if "task" in options else None
    preset = options.pop("preset", None)
    if preset is not None and not isinstance(preset, str):
        raise ConfigError(f"variants: {name}: expected the name of a preset, got {preset!r}")
    if found := [option for option in options if option in reserved]:
        raise ConfigError(f"variants: {name}: expected options of runs, got {found[0]!r}")
    return Variant(name, options, preset, tasks)


def read_tasks(value: object) -> tuple[str | None, ...]:
    """Read a task or a list of tasks; None is the environment's default.

    Raises:
        ConfigError: it is something else, or one stands twice.
    """
    tasks = value if isinstance(value, list) else [value]
    if not tasks or (isinstance(value, list) and None in tasks):
        raise ConfigError(f"task: expected a name, or a list of names, got {value!r}")
    for task in tasks:
        if task is not None and not (isinstance(task, str) and task):
            raise ConfigError(f"task: expected a name, or a list of names, got {task!r}")
    require_distinct("task", tasks)
    return tuple(tasks)


def require_distinct(name: str, values: Sequence[Any]) -> None:
    """Require that no value stands twice.

    Raises:
        ConfigError: one does.
    """
    if twice := [value for number, value in enumerate(values) if value in values[:number]]:
        raise ConfigError(f"{name}: expected each value once, got {twice[0]!r} twice")
