"""Named sets of options. A preset sets options of Config and nothing else."""

from __future__ import annotations

from typing import Any

from pyqmix.config import FULL_EXPLORATION_ENVS, Config
from pyqmix.errors import unknown

PRESETS: dict[str, dict[str, Any]] = {
    # The algorithm's own defaults.
    "none": {},
    # Level-Based Foraging on a laptop: a short horizon, a higher learning rate, rewards large enough to
    # stand out from the networks' first values, and eight environments that share each forward pass.
    "lbf": {
        "env": "lbf",
        "gamma": 0.9,
        "lr": 1e-3,
        "reward_scale": 10.0,
        "batch_size": 16,
        "num_envs": 8,
        "target_update": 100,
        "eps_steps": 200_000,
    },
    # Claus and Boutilier, AAAI 1998: two agents must meet on the best joint action although a failed
    # attempt is punished.
    "climb": {"env": "matrix", "payoff": [[11, -30, 0], [-30, 7, 6], [0, 0, 5]], "total_steps": 5_000},
    "penalty": {
        "env": "matrix",
        "payoff": [[10, 0, -100], [0, 2, 0], [-100, 0, 10]],
        "total_steps": 5_000,
    },
}
DEFAULT_PRESETS = {"lbf": "lbf"}


def from_preset(preset: str | None = None, **options: Any) -> Config:
    """Build a Config from a preset and options that override it.

    Args:
        preset: a name in PRESETS; None takes the environment's own preset where it has one.
        **options: options of Config.

    Raises:
        ConfigError: the preset is unknown, or an option is unusable.
    """
    if preset is None:
        preset = DEFAULT_PRESETS.get(options.get("env", Config.env), "none")
    if preset not in PRESETS:
        raise unknown("preset", preset, PRESETS)
    values = {**PRESETS[preset], **options}
    if values.get("env", Config.env) in FULL_EXPLORATION_ENVS:
        # These games explore fully unless the caller says otherwise, whatever the preset.
        for name in ("eps_start", "eps_end", "eps_steps"):
            if name not in options:
                values.pop(name, None)
    return Config(**values)
