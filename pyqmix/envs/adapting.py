"""A user's environment behind the trainer's protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields
from functools import partial
from typing import Any

import gymnasium

from pyqmix.base.calling import accepts, call_accepted
from pyqmix.base.errors import ConfigError
from pyqmix.base.spec import EpisodeSpec
from pyqmix.envs.family import EnvFamily
from pyqmix.envs.gymnasium_env import GymnasiumEnv
from pyqmix.envs.importing import blamed
from pyqmix.envs.options import AdapterOptions, TeamRules
from pyqmix.envs.pettingzoo_env import PettingZooEnv, is_parallel, to_parallel
from pyqmix.envs.protocol import Env
from pyqmix.envs.smac import SmacEnv, has_interface


def adapt(made: Any, options: AdapterOptions | None = None, name: str | None = None) -> Env:
    """Put an environment behind the trainer's protocol.

    Args:
        made: an :class:`pyqmix.envs.Env`, which is returned as it is; a gymnasium environment whose spaces are
            tuples (:class:`pyqmix.envs.gymnasium_env.GymnasiumEnv`); a PettingZoo environment, parallel or AEC
            (:class:`pyqmix.envs.pettingzoo_env.PettingZooEnv`); or an object with SMAC's interface
            (:class:`pyqmix.envs.smac.SmacEnv`).
        options: the step limit, the team's reward and the scale of its inputs; None: the defaults.
        name: in messages; None takes the environment's own.

    Raises:
        ConfigError: it is none of these, its spaces or sizes do not fit, or an option is set that an ``Env``
            decides itself.
    """
    options = AdapterOptions() if options is None else options
    if isinstance(made, gymnasium.Env):
        return GymnasiumEnv(made, name=name, **options.rules)
    name = name or getattr(made, "name", None) or type(made).__name__
    if isinstance(getattr(made, "spec", None), EpisodeSpec) and all(map(partial(hasattr, made), _PROTOCOL)):
        _refuse_rules(options, name)
        env: Env = made
        return env
    parallel = to_parallel(made, name)
    if is_parallel(parallel):
        return PettingZooEnv(parallel, name=name, **options.rules)
    if has_interface(made):
        return SmacEnv(made, name=name, **options.rules)
    got = f"the class {made.__name__} itself" if isinstance(made, type) else type(made).__name__
    raise ConfigError(
        f"env: {name}: expected a gymnasium environment with tuple spaces, a PettingZoo environment, an object "
        f"with SMAC's interface, or a pyqmix.envs.Env (name, spec, reset, step, close), got {got}"
    )


_PROTOCOL = ("name", "reset", "step", "close")


def _refuse_rules(options: AdapterOptions, name: str) -> None:
    for field in fields(TeamRules):
        value = getattr(options, field.name)
        if field.default is not MISSING and value != field.default:
            raise ConfigError(
                f"{field.name}: {name} is a pyqmix.envs.Env, which decides this itself, got {value!r}"
            )


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
    label = options.task or name.rpartition(":")[2]
    with blamed(label, "its constructor"):
        made = call_accepted(f"env {name}", factory, {}, given)
    if made is None:
        raise ConfigError(f"env: {name} returned None: expected an environment")
    return adapt(made, options, label)
