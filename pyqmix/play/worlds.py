"""Builds the worlds that Python episodes are played in."""

from __future__ import annotations

from collections.abc import Sequence

from pyqmix.config import Config
from pyqmix.envs import Env, env_family
from pyqmix.envs.separate import require_separate
from pyqmix.envs.worlds import EnvWorlds, Worlds


def create_worlds(config: Config, count: int) -> Worlds:
    """Build a number of worlds of a config's environment; one simulator steps them together where it can.

    Raises:
        ConfigError: the environment cannot be built.
    """
    batch = create_batch(config, count)
    return separate_worlds([config.create_env() for _ in range(count)]) if batch is None else batch


def create_batch(config: Config, count: int) -> Worlds | None:
    """Build worlds that one simulator steps together; None where the environment has no such simulator."""
    make_batch = env_family(config.env).make_batch
    return None if make_batch is None else make_batch(config.env_options(), count)


def separate_worlds(envs: Sequence[Env]) -> EnvWorlds:
    """Let environments be stepped one after another.

    Raises:
        ConfigError: two of them are one object, in which their episodes would mix.
    """
    require_separate(envs)
    return EnvWorlds(envs)
