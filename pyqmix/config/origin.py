"""Says which preset a run's options come from."""

from __future__ import annotations

import dataclasses

from pyqmix.config.config import Config
from pyqmix.config.presets import PRESETS, from_preset
from pyqmix.envs import env_family

MOST_NAMED = 6


def origin(config: Config) -> str:
    """Say in a line which preset a run's options come from, by what they are, and which of them it has changed."""
    family, shared = env_family(config.env), {"env": config.env, "total_steps": config.total_steps}
    own = {name for name, values in PRESETS.items() if values.get("env") == config.env} | {"none"}
    changed = {name: _changed(from_preset(name, **shared), config) for name in sorted(own)}
    nearest = min(changed, key=lambda name: (len(changed[name]), name != family.preset, name != "none"))
    but = f", but {_listed(changed[nearest])}" if changed[nearest] else ""
    if nearest != "none":
        return f"options: preset {nearest}{but}"
    hint = f"; the command line and from_preset(env={config.env!r}) start from preset {family.preset}"
    return f"options: the algorithm's defaults{but}{hint if family.preset else ''}"


def _listed(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _changed(before: Config, after: Config) -> list[str]:
    present = dataclasses.asdict(before)
    return [
        f"{name}={value}"
        for name, value in dataclasses.asdict(after).items()
        if value != present[name] and name not in ("task", "seed", "run_dir")
    ]
