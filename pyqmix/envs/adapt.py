"""A user's environment behind the trainer's protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import gymnasium

from pyqmix.base.calling import accepts, call_accepted
from pyqmix.base.errors import ConfigError
from pyqmix.base.options import check_json_object, json_value
from pyqmix.envs.family import EnvFamily
from pyqmix.envs.gymnasium_env import GymnasiumEnv
from pyqmix.envs.last_action import LastActionEnv
from pyqmix.envs.options import AgentInputs, EnvOptions, StepLimit, Task, TeamReward
from pyqmix.envs.protocol import Env


@dataclass(frozen=True)
class AdapterOptions(EnvOptions, AgentInputs, TeamReward, StepLimit, Task):
    """Options of a user's environment."""

    env_args: Annotated[Any, json_value(check_json_object)] = None
    """Keyword arguments of the environment, a JSON object."""


def adapt(made: Any, options: AdapterOptions, name: str) -> Env:
    """Put an environment behind the trainer's protocol."""
    if isinstance(made, gymnasium.Env):
        return GymnasiumEnv(
            made,
            episode_limit=options.episode_limit,
            name=name,
            truncate_at_limit=options.truncate_at_limit,
            team_reward=options.team_reward,
            scale_inputs=options.scale_inputs,
        )
    if all(hasattr(made, part) for part in ("spec", "reset", "step", "close")):
        env: Env = made
        return env
    raise ConfigError(f"{name}: expected an environment, got {type(made).__name__}")


def user_family(name: str, given: object, preset: str | None = None) -> EnvFamily:
    """Make the family of a user's environment.

    Args:
        name: its name.
        given: an :class:`EnvFamily`, or a class or function that makes an environment; it is called with the
            option env_args as keywords, and with ``task`` if its signature names that.
        preset: the preset of a run that names none.

    Raises:
        ConfigError: it is neither.
    """
    if isinstance(given, EnvFamily):
        return given
    if not callable(given):
        raise ConfigError(f"env: {name}: expected a class or a function that makes an environment, got {given!r}")
    return EnvFamily(name, AdapterOptions, partial(_make, name, given), preset)


def _make(name: str, factory: Callable[..., Any], options: AdapterOptions) -> Env:
    given = dict(options.env_args or {})
    if options.task is not None:
        if not accepts(factory, "task"):
            raise ConfigError(f"task: {name} has no parameter of this name, got {options.task!r}")
        given["task"] = options.task
    made = call_accepted(f"env {name}", factory, {}, given)
    if made is None:
        raise ConfigError(f"env: {name} returned None: expected an environment")
    env = adapt(made, options, options.task or name.rpartition(":")[2])
    return LastActionEnv(env) if options.last_action else env
