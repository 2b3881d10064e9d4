"""Refuses environments that are one object."""

from __future__ import annotations

from collections.abc import Sequence

from pyqmix.base.errors import ConfigError
from pyqmix.envs.last_action import LastActionEnv
from pyqmix.envs.protocol import Env
from pyqmix.envs.team import TeamEnv


def require_separate(envs: Sequence[Env]) -> None:
    """Require that environments which are stepped side by side are objects of their own.

    Raises:
        ConfigError: two of them are one object, in which their episodes would mix.
    """
    if len({id(_of_user(env)) for env in envs}) < len(envs):
        raise ConfigError(
            f"env: expected a new environment at each call, got the same {envs[0].name} twice: make it inside of "
            "the function, or set num_envs 1"
        )


def _of_user(env: object) -> object:
    """Return the object that a user or another library has made."""
    while isinstance(env, (LastActionEnv, TeamEnv)):
        env = env.env
    return env
