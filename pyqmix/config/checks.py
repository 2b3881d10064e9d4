"""What each option of a run may be, by its name."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from pyqmix.base.errors import ConfigError, unknown
from pyqmix.envs import ENV_NAMES
from pyqmix.ops.backend import BACKENDS

LARGEST_INT = 2**63 - 1
CHOICES: dict[str, tuple[str, ...]] = {
    "env": ENV_NAMES,
    "mixer": ("qmix", "vdn", "iql"),
    "agent": ("mlp", "gru"),
    "optimizer": ("adam", "rmsprop"),
    "loss": ("episodes", "transitions"),
    "team_reward": ("sum", "mean"),
    "positions": ("absolute", "relative", "both"),
    "standardise_rewards": ("off", "masked", "padded"),
    "device": ("auto", "cpu", "cuda"),
    "replay_device": ("cpu", "cuda"),
    "backend": BACKENDS,
}
_POSITIVE_INTS = (
    *("total_steps", "hidden_dim", "embed_dim", "hypernet_dim", "batch_size", "buffer_size", "num_envs"),
    *("target_update", "eps_steps", "eval_every", "eval_episodes", "checkpoint_every", "log_every", "threads"),
    "n_step",
)
_OPTIONAL_POSITIVE_INTS = ("episode_limit", "batch_transitions", "episodes_per_update", "per_beta_steps")
_MOST = {
    **dict.fromkeys(("hidden_dim", "embed_dim", "hypernet_dim"), 16_384),
    **{"num_envs": 8_192, "threads": 1_024, "episode_limit": 2**31 - 1},
}
_NAMES = ("task", "run_dir")
_POSITIVE_NUMBERS = ("lr", "grad_clip", "updates_per_episode", "reward_scale")
_FRACTIONS = ("gamma", "eps_start", "eps_end", "target_tau", "td_lambda", "per_alpha", "per_beta")
_BOOLS = (
    *("truncate_at_limit", "action_mask", "global_state", "last_action", "scale_inputs"),
    *("agent_id", "share_parameters", "double_q", "overlap", "prioritised"),
)


def check_each(options: Mapping[str, Any]) -> None:
    """Check every option by itself.

    Raises:
        ConfigError: one has no usable value; the message names it, what was expected and what came.
    """
    for name, known in CHOICES.items():
        if options[name] not in known:
            raise unknown(name, options[name], known)
    for name in _NAMES:
        value = options[name]
        if value is not None and not (isinstance(value, str) and value):
            raise ConfigError(f"{name}: expected a name that is not empty, got {value!r}")
    for name in (*_POSITIVE_INTS, *_OPTIONAL_POSITIVE_INTS):
        if name in _POSITIVE_INTS or options[name] is not None:
            require_int(name, options[name], 1, _MOST.get(name, LARGEST_INT))
    require_int("seed", options["seed"], 0)
    require_int("num_workers", options["num_workers"], 0, 8_192)
    require_int("hypernet_layers", options["hypernet_layers"], 1, 2)
    for name in _POSITIVE_NUMBERS:
        require_number(name, options[name], above=0.0)
    for name in _FRACTIONS:
        require_number(name, options[name], low=0.0, high=1.0)
    if options["target_tau"] == 0:
        raise ConfigError(f"target_tau: expected a number above 0, got {options['target_tau']!r}")
    for name in _BOOLS:
        if not isinstance(options[name], bool):
            raise ConfigError(f"{name}: expected true or false, got {options[name]!r}")
    _require_json_object("env_args", options["env_args"])


def require_int(name: str, value: object, low: int, high: int = LARGEST_INT) -> None:
    """Check an integer option.

    Raises:
        ConfigError: it is none, or lies outside [low, high].
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise ConfigError(f"{name}: expected an integer of at least {low}, got {value!r}")
    if value > high:
        raise ConfigError(f"{name}: expected an integer of at most {high:,}, got {value!r}")


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        return False


def require_number(
    name: str, value: object, low: float = -math.inf, high: float = math.inf, above: float = -math.inf
) -> None:
    """Check a number.

    Raises:
        ConfigError: it is none, not finite, outside [low, high], or not above ``above``.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not _is_finite(value):
        raise ConfigError(f"{name}: expected a finite number, got {value!r}")
    if not low <= value <= high or value <= above:
        expected = f"a number above {above:g}" if above > -math.inf else f"a number from {low:g} to {high:g}"
        raise ConfigError(f"{name}: expected {expected}, got {value!r}")


def _require_json_object(name: str, value: object) -> None:
    if value is not None and not isinstance(value, dict):
        raise ConfigError(f"{name}: expected a JSON object of options, got {value!r}")
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        raise ConfigError(f"{name}: expected what JSON can hold, got {value!r}") from None
