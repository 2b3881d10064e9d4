"""A run's options beside those of the preset that is nearest to them, and the command that repeats the run."""

from __future__ import annotations

import dataclasses
import json
import shlex
from dataclasses import dataclass
from typing import Any

from pyqmix.config import PRESETS, Config, from_preset

_OF_THE_RUN = ("env", "task", "seed", "run_dir")  # they differ between runs of one preset


@dataclass(frozen=True)
class Changes:
    """The options of a run that its preset has otherwise.

    Attributes:
        preset: the one that differs in the fewest options.
        values: each of these options with its value in the preset, and its value in the run.
    """

    preset: str
    values: dict[str, tuple[Any, Any]]


def changes(config: Config) -> Changes:
    """Find the nearest preset of a run's environment."""
    given = {"env": config.env, "total_steps": config.total_steps}
    own = [name for name, values in PRESETS.items() if values.get("env", config.env) == config.env]
    found = [Changes(name, _differences(from_preset(name, **given), config)) for name in own]
    return min(found, key=lambda each: len(each.values))


def command(config: Config, changed: Changes) -> str | None:
    """Write the command that trains such a run again; None where a part is of a script, which a command lacks."""
    if any("<" in name or name.startswith("__main__:") for name in (config.env, config.agent, config.mixer)):
        return None
    values: dict[str, Any] = {"preset": changed.preset, "env": config.env}
    if config.task_name is not None:
        values["task"] = config.task_name
    values |= {"total_steps": config.total_steps, "seed": config.seed}
    values |= {name: value for name, (_, value) in changed.values.items() if name != "total_steps"}
    return " ".join(["pyqmix-train", *(word for name, value in values.items() for word in _words(name, value))])


def shown(value: object) -> str:
    """Write an option's value as the command line has it."""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value):
        return " ".join(value) or "none"
    return "none" if value is None else json.dumps(value)


def _words(name: str, value: object) -> list[str]:
    option = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{option}" if value else f"--no-{option}"]
    if isinstance(value, tuple):
        return [f"--{option}", *map(shlex.quote, value)]
    return [f"--{option}", "None" if value is None else shlex.quote(shown(value))]


def _differences(preset: Config, config: Config) -> dict[str, tuple[Any, Any]]:
    before, after = (dataclasses.asdict(each) for each in (preset, config))
    return {
        name: (before[name], value)
        for name, value in after.items()
        if name not in _OF_THE_RUN and value != before[name]
    }
