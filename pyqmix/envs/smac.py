"""Objects with the interface of SMAC (arXiv:1902.04043), which SMACv2, SMAClite and many simulators share."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyqmix.base.errors import ConfigError
from pyqmix.envs.family import EnvFamily
from pyqmix.envs.gymnasium_env import GymnasiumEnv, make_registered
from pyqmix.envs.importing import blamed, import_attribute, import_optional, make_foreign
from pyqmix.envs.observation import VectorEncoder
from pyqmix.envs.offers import won_of
from pyqmix.envs.options import AdapterOptions
from pyqmix.envs.team import Member, Outcome, Shown, TeamEnv
from pyqmix.envs.told import as_array, described, ending, flag, mapping

INTERFACE = ("reset", "step", "get_obs", "get_state", "get_avail_actions", "get_env_info")
_SIZES = ("n_agents", "n_actions", "obs_shape", "state_shape", "episode_limit")
_SMAC = "git+https://github.com/oxwhirl/smac.git, and the game StarCraft II"
_SMACV2 = "git+https://github.com/oxwhirl/smacv2.git, and the game StarCraft II"
_SMACLITE = "git+https://github.com/uoe-agents/smaclite.git"


@dataclass(frozen=True)
class SmacOptions(AdapterOptions):
    """Options of ``--env smac``."""


class SmacEnv(TeamEnv):
    """Adapts an object with SMAC's interface.

    ``get_env_info()`` tells n_agents, n_actions, obs_shape, state_shape and episode_limit; ``step(actions)``
    returns (reward, terminated, info), or (obs, reward, terminated, truncated, info). A termination with
    ``info["episode_limit"]`` is a truncation. ``info["battle_won"]`` tells wins. The constructor does not reset
    the object, as that can start a game.

    A seed reaches ``reset(seed=...)``, or a method ``seed(value)``, where either exists. Otherwise the object
    draws random numbers of its own, and episodes cannot be repeated.

    Args:
        env: the object.
        name: its name in messages; None takes its class's.
        **rules: of :class:`pyqmix.envs.options.TeamRules`.

    Raises:
        ConfigError: ``get_env_info`` lacks a size.
    """

    def __init__(self, env: Any, *, name: str | None = None, **rules: Any) -> None:
        name = name or type(env).__name__
        with blamed(name, "get_env_info"):
            info = env.get_env_info()
        if missing := [size for size in _SIZES if size not in info]:
            raise ConfigError(f"{name}: get_env_info() lacks {missing[0]!r}: expected {', '.join(_SIZES)}")
        n, n_actions, obs, state = (_size(name, size, info[size]) for size in _SIZES[:-1])
        members = [Member(str(k), VectorEncoder(obs), n_actions) for k in range(n)]
        self._reset_takes_seed = _accepts(env.reset, seed=0)
        self._seed = getattr(env, "seed", None) if not self._reset_takes_seed else None
        self._seed = self._seed if callable(self._seed) and _accepts(self._seed, 0) else None
        unseeded = "it takes no seed, neither in reset nor in a method seed(value): episodes cannot be repeated"
        notes = [] if self._reset_takes_seed or self._seed is not None else [unseeded]
        limit = _size(name, "episode_limit", info["episode_limit"]) if info["episode_limit"] else None
        super().__init__(env, name, members, limit, np.zeros(state, np.float32), None, notes, **rules)

    def _start(self, seed: int) -> Shown:
        if self._reset_takes_seed:
            self.env.reset(seed=seed)
        else:
            if self._seed is not None:
                self._seed(seed)
            self.env.reset()
        return self._shown()

    def _advance(self, actions: list[int]) -> Outcome:
        told = self.env.step(actions)
        n = len(self.members)
        reward, terminated, truncated, info = _outcome(told, n)
        at_limit = terminated and flag(info.get("episode_limit", False), "info['episode_limit']")
        cut = truncated or at_limit
        return Outcome(self._shown(), reward, terminated and not cut, cut, won_of([info], n))

    def _shown(self) -> Shown:
        return Shown(self.env.get_obs(), self.env.get_avail_actions(), self.env.get_state())


def has_interface(env: object) -> bool:
    """Whether an object has SMAC's interface."""
    return all(callable(getattr(env, method, None)) for method in INTERFACE)


def make_smac_env(options: AdapterOptions) -> TeamEnv:
    """Build what a task names, and adapt it.

    The task is a map of SMAC (``3m``), ``smacv2/MAP``, ``smaclite/MAP`` or ``package.module:NAME`` with a callable
    that returns an object with SMAC's interface. ``env_args`` are its keyword arguments.

    Raises:
        ConfigError: a package is not installed, or the task cannot be made.
    """
    task, arguments = options.task, options.arguments
    if not task:
        raise ConfigError("--env smac needs --task: a map such as 3m, smacv2/MAP, smaclite/MAP or module:NAME")
    package, _, map_name = task.rpartition("/")
    if package == "smaclite":
        import_optional("smaclite", "task: the maps of SMAClite", _SMACLITE)
        env = make_registered(f"smaclite/{map_name}-v0", arguments)
        return GymnasiumEnv(env, name=task, **options.rules)
    made = make_foreign(task, _maker(task, package, map_name), arguments)
    if not has_interface(made):
        raise ConfigError(
            f"task: expected {task!r} to make an object with {', '.join(INTERFACE)}, got {type(made).__name__}"
        )
    return SmacEnv(made, name=task, **options.rules)


def _maker(task: str, package: str, map_name: str) -> Callable[..., Any]:
    if ":" in task:
        maker: Callable[..., Any] = import_attribute(task)
        return maker
    if package == "smacv2":
        module = import_optional("smacv2.env.starcraft2.wrapper", "task: the maps of SMACv2", _SMACV2)
        wrapper = module.StarCraftCapabilityEnvWrapper
        return lambda **arguments: wrapper(map_name=map_name, **arguments)
    if package:
        raise ConfigError(f"task: expected a map, smacv2/MAP, smaclite/MAP or module:NAME, got {task!r}")
    # Another distribution of this name, which optimises hyperparameters, has no such module.
    game = import_optional("smac.env.starcraft2.starcraft2", "task: the maps of SMAC", _SMAC).StarCraft2Env
    return lambda **arguments: game(map_name=map_name, **arguments)


def _size(name: str, key: str, given: Any) -> int:
    """Return a size, or the product of a shape."""
    sizes = as_array(given)
    if sizes is None or sizes.size == 0 or not ((sizes >= 1) & (sizes == np.floor(sizes))).all():
        raise ConfigError(
            f"{name}: get_env_info(): {key}: expected a positive integer, or some, got {described(given)}"
        )
    return math.prod(map(int, sizes.flat))


def _outcome(told: Any, n: int) -> tuple[Any, bool, bool, Mapping[str, Any]]:
    values = told if isinstance(told, (tuple, list)) else ()
    if len(values) == 5:
        _, reward, terminated, truncated, info = values
    elif len(values) == 3:
        (reward, terminated, info), truncated = values, False
    else:
        got = f"{len(values)} values" if values else described(told)
        raise ValueError(f"expected step to return (reward, terminated, info), got {got}")
    return reward, *ending(terminated, truncated, n), mapping(info, "info")


def _accepts(method: Callable[..., Any], *values: Any, **keywords: Any) -> bool:
    try:
        inspect.signature(method).bind(*values, **keywords)
    except (TypeError, ValueError):
        return False
    return True


# A map; a module before ":" would be imported.
FAMILY = EnvFamily("smac", SmacOptions, make_smac_env, safe_tasks=r"((smacv2|smaclite)/)?[\w-]+")
