"""Builds an environment by name, or a batch of them."""

from __future__ import annotations

from typing import Any, overload

from pyqmix.base.errors import ConfigError
from pyqmix.envs.native import NativeEnv
from pyqmix.envs.options import EnvOptions
from pyqmix.envs.protocol import Env
from pyqmix.envs.registry import env_family, require_options
from pyqmix.envs.vector import EpisodeVectorEnv, NativeVectorEnv, SyncVectorEnv


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
