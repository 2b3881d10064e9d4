"""Says which preset a run's options come from."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from pyqmix.config.config import Config
from pyqmix.config.presets import PRESETS, from_preset
from pyqmix.envs import env_family

MOST_NAMED = 6
_OF_THE_RUN = ("task", "seed", "run_dir")  # runs of one preset differ in them


@dataclass(frozen=True)
class Nearest:
    """The preset from which a run's options differ the least.

    Attributes:
        preset: its name.
        changes: the options that differ, each with its value in the preset and its value in the run.
    """

    preset: str
    changes: dict[str, tuple[Any, Any]]


def nearest_preset(config: Config) -> Nearest:
    """Find the preset of a run's environment that differs in the fewest options.

    Of several, the one that the environment has by default comes first, then ``none``.
    """
    family, shared = env_family(config.env), {"env": config.env, "total_steps": config.total_steps}
    own = {name for name, values in PRESETS.items() if values.get("env") == config.env} | {"none"}
    found = [Nearest(name, _changes(from_preset(name, **shared), config)) for name in sorted(own)]
    return min(found, key=lambda each: (len(each.changes), each.preset != family.preset, each.preset != "none"))


def origin(config: Config) -> str:
    """Say in a line which preset a run's options come from, by what they are, and which of them it has changed."""
    nearest, default = nearest_preset(config), env_family(config.env).preset
    changed = [f"{name}={value}" for name, (_, value) in nearest.changes.items()]
    but = f", but {_listed(changed)}" if changed else ""
    if nearest.preset != "none":
        return f"options: preset {nearest.preset}{but}"
    hint = f"; the command line and from_preset(env={config.env!r}) start from preset {default}"
    return f"options: the algorithm's defaults{but}{hint if default else ''}"


def _listed(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _changes(preset: Config, config: Config) -> dict[str, tuple[Any, Any]]:
    before, after = (dataclasses.asdict(each) for each in (preset, config))
    return {
        name: (before[name], value)
        for name, value in after.items()
        if name not in _OF_THE_RUN and value != before[name]
    }
