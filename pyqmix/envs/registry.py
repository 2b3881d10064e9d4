"""Environments by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

from pyqmix.base.errors import ConfigError
from pyqmix.base.registry import Registry
from pyqmix.envs import gymnasium_env, lbf, matrix, overcooked, pettingzoo_env, rware, smac, smax, two_step, vmas
from pyqmix.envs.adapt import user_family
from pyqmix.envs.family import EnvFamily
from pyqmix.envs.native import NativeEnv
from pyqmix.envs.options import EnvOptions
from pyqmix.envs.protocol import Env
from pyqmix.envs.vector import EpisodeVectorEnv, NativeVectorEnv, SyncVectorEnv

OWN = (
    lbf.FAMILY,
    gymnasium_env.FAMILY,
    pettingzoo_env.FAMILY,
    rware.FAMILY,
    smac.FAMILY,
    overcooked.FAMILY,
    vmas.FAMILY,
    smax.FAMILY,
    two_step.FAMILY,
    matrix.FAMILY,
)
FAMILIES: Registry[EnvFamily] = Registry("env", "pyqmix.envs", {each.name: each for each in OWN}, user_family)


def env_family(name: object) -> EnvFamily:
    """Return the family of a name.

    Raises:
        ConfigError: no family has this name.
    """
    return FAMILIES[name]  # type: ignore[index]


def register_env(name: str, make: Callable[..., Any] | EnvFamily) -> None:
    """Let ``--env name`` and ``Config(env=name)`` mean an environment of yours.

    An installed package does the same by an entry point of the group ``pyqmix.envs``, such as
    ``mine = "my_package:make"``.

    Args:
        name: letters, digits, ``_``, ``-`` and ``.``.
        make: a class or function that returns what :func:`pyqmix.envs.adapt` takes, called with the option
            ``env_args`` as keywords and with ``task`` if its signature names that; or an :class:`EnvFamily`, which
            has options of its own. Worker processes need one at the top level of a module.

    Raises:
        ConfigError: the name is taken, or ``make`` cannot be called.
    """
    FAMILIES.register(name, make)


def require_options(family: EnvFamily, given: dict[str, Any]) -> None:
    """Refuse options of other families. Options that no family has are left to the caller.

    Raises:
        ConfigError: a given option belongs to other families only; the message names the first one.
    """
    for name, value in given.items():
        if name not in family.option_names and any(name in other.option_names for other in FAMILIES.values()):
            raise ConfigError(f"{name}: {family.name} has no such option, got {value!r}")


def env_options(name: str, **options: Any) -> EnvOptions:
    """Build the options of an environment.

    Raises:
        ConfigError: there is no such environment, or an option is unusable or belongs to another environment.
        TypeError: no environment has such an option.
    """
    family = env_family(name)
    require_options(family, options)
    return family.options(**options)


@overload
def make_env(name: str, *, num_envs: None = ..., seed: int = ..., **options: Any) -> Env: ...
@overload
def make_env(name: str, *, num_envs: int, seed: int = ..., **options: Any) -> EpisodeVectorEnv: ...
def make_env(name: str, *, num_envs: int | None = None, seed: int = 0, **options: Any) -> Env | EpisodeVectorEnv:
    """Build an environment, or a batch of them in gymnasium's ``VectorEnv`` conventions.

    Args:
        name: of a family in FAMILIES.
        num_envs: None for one :class:`Env`, a number for a batch of that size (:mod:`pyqmix.envs.vector`).
        seed: of a batch: its k-th episode is the same for every num_envs.
        **options: of the environment, such as ``task``; its class of options lists them, for lbf
            :class:`pyqmix.envs.LbfOptions`. In a batch of lbf ``team_reward`` may be "individual".

    Raises:
        ConfigError: an argument does not fit.
    """
    family = env_family(name)
    individual = num_envs is not None and family.native and options.get("team_reward") == "individual"
    if individual and "team_reward" in family.option_names:
        del options["team_reward"]
    chosen = env_options(name, **options)
    if num_envs is None:
        return family.create(chosen)
    if num_envs < 1:
        raise ConfigError(f"num_envs: expected a positive integer, got {num_envs}")
    first = family.create(chosen)
    if isinstance(first, NativeEnv):
        return NativeVectorEnv(first, num_envs, seed, individual)
    return SyncVectorEnv([first, *(family.create(chosen) for _ in range(num_envs - 1))], seed)
