"""Any gymnasium environment whose spaces are tuples with one entry for each agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import gymnasium
from gymnasium import spaces

from pyqmix.base.errors import ConfigError, EnvError, near
from pyqmix.envs.family import EnvFamily
from pyqmix.envs.importing import blamed, first_line, import_optional, make_foreign
from pyqmix.envs.observation import MASK_KEYS, SpaceEncoder
from pyqmix.envs.offers import (
    MASK_METHODS,
    STATE_METHODS,
    FromInfo,
    example_state,
    find_method,
    own_limit,
    unused,
    won_of,
)
from pyqmix.envs.options import AdapterOptions
from pyqmix.envs.team import Member, Outcome, Shown, TeamEnv
from pyqmix.envs.told import each_of, ending, five, mapping, pair

_PACKAGES = {"Foraging": "lbforaging", "rware-": "rware"}  # whose import registers tasks of this prefix


@dataclass(frozen=True)
class GymnasiumOptions(AdapterOptions):
    """Options of ``--env gymnasium``."""


class GymnasiumEnv(TeamEnv):
    """Adapts a gymnasium environment, one team of n agents.

    Episodes are as independent of each other as the environment's own ``reset(seed)`` makes them. The constructor
    resets the environment once to see its sizes.

    Action masks come from ``info["action_mask"]`` or ``info["avail_actions"]`` ((n, A) or n arrays), from an
    "action_mask" in the agents' observations, or from a method ``action_masks()``, ``get_avail_actions()`` or
    ``avail_actions()``; the global state from ``info["state"]`` or a method ``state()`` or ``get_state()``,
    otherwise it is the concatenated observations; wins from "battle_won", "won", "is_success", "success" of info.

    Args:
        env: its observation space is a ``Tuple`` with a space of a fixed width for each agent, its action space a
            ``Tuple`` of ``Discrete`` spaces. It pays one reward, or one for each agent.
        name: its name in error messages; None takes its id.
        **rules: of :class:`pyqmix.envs.options.TeamRules`. ``episode_limit`` None takes the environment's own:
            ``max_episode_steps`` or ``max_steps`` of its spec, its keyword arguments or its attributes. A smaller
            one than the environment's truncates.

    Raises:
        ConfigError: the spaces are not of this kind, the episode limit is unknown, or a space to be scaled has no
            bounds.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], *, name: str | None = None, **rules: Any) -> None:
        self.env = env
        name = name or (env.spec.id if env.spec is not None else type(env.unwrapped).__name__)
        with blamed(name, "reading its spaces"):
            members = self._members(name)
        notes: list[str] = []
        with blamed(name, "its first reset"):
            _, info = pair(env.reset(seed=0))
        self._mask_info = FromInfo(MASK_KEYS, info)
        self._state_info = FromInfo(("state",), info)
        self._mask_method = None if self._mask_info.key else find_method(self._attribute, MASK_METHODS, notes)
        self._state_method = None if self._state_info.key else find_method(self._attribute, STATE_METHODS, notes)
        self._encoders = [member.encoder for member in members]
        self._masks_in_obs = any(encoder.has_mask for encoder in self._encoders)
        with blamed(name, "its first reset"):
            state = example_state(lambda: self._state(info), notes)
        self._has_state = state is not None
        notes += unused(info, (self._mask_info.key, self._state_info.key))
        wrapped = {"max_episode_steps": self._attribute("_max_episode_steps")}  # of a TimeLimit without a spec
        told = [] if env.spec is None else [env.spec, env.spec.kwargs]
        limit = own_limit([*told, env.unwrapped, wrapped])
        super().__init__(env, name, members, limit, state, self._attribute("state_space"), notes, **rules)

    def _start(self, seed: int) -> Shown:
        observations, info = pair(self.env.reset(seed=seed))
        return self._shown(observations, info)

    def _advance(self, actions: list[int]) -> Outcome:
        observations, reward, terminated, truncated, info = five(self.env.step(tuple(actions)))
        n = len(self.members)
        terminated, truncated = ending(terminated, truncated, n)
        shown = self._shown(observations, mapping(info, "info"), terminated and not self.limit_truncates)
        return Outcome(shown, reward, terminated, truncated, won_of([info], n))

    def _shown(self, observations: Any, info: Mapping[str, Any], over: bool = False) -> Shown:
        masks = self._mask_info.read(info, optional=over)
        if masks is None and self._mask_method is not None:
            masks = self._mask_method()
        if masks is None and self._masks_in_obs:
            seen = each_of(observations, len(self._encoders), "observations")
            masks = [e.mask(obs, str(k)) for k, (e, obs) in enumerate(zip(self._encoders, seen, strict=True))]
        state = self._state(info)
        return Shown(observations, masks, state if self._has_state else None)

    def _state(self, info: Mapping[str, Any]) -> Any:
        told = self._state_info.read(info)
        return self._state_method() if told is None and self._state_method is not None else told

    def _attribute(self, name: str) -> Any:
        return self.env.get_wrapper_attr(name) if self.env.has_wrapper_attr(name) else None

    def _members(self, name: str) -> list[Member]:
        observations, actions = self.env.observation_space, self.env.action_space
        entries = list(observations.spaces) if isinstance(observations, spaces.Tuple) else []
        choices = list(actions.spaces) if isinstance(actions, spaces.Tuple) else []
        if not entries:
            raise ConfigError(
                f"{name}: expected an observation space that is a Tuple with one space for each agent, got "
                f"{observations}"
            )
        discrete = [each for each in choices if isinstance(each, spaces.Discrete)]
        if len(discrete) != len(entries) or len(choices) != len(entries):
            raise ConfigError(
                f"{name}: expected an action space that is a Tuple of {len(entries)} Discrete spaces, "
                f"got {actions}"
            )
        return [
            Member(str(k), SpaceEncoder(entry, f"{name}, agent {k}"), int(choice.n), int(choice.start))
            for k, (entry, choice) in enumerate(zip(entries, discrete, strict=True))
        ]


def make_gymnasium_env(options: AdapterOptions) -> GymnasiumEnv:
    """Build ``gymnasium.make(task, **env_args)`` and adapt it.

    Raises:
        ConfigError: no such id is registered, or the environment does not fit :class:`GymnasiumEnv`.
    """
    if not options.task:
        raise ConfigError("--env gymnasium needs --task with the id of a registered environment")
    env = make_registered(options.task, options.arguments)
    return GymnasiumEnv(env, name=options.task, **options.rules)


def make_registered(task: str, arguments: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    """Build a registered environment.

    Raises:
        ConfigError: no such id is registered, or it has no such keyword argument.
        EnvError: the environment's own code raised an error, which is the cause.
    """
    for prefix, package in _PACKAGES.items():
        if task.startswith(prefix):
            native = "; --env lbf plays the same tasks natively" if package == "lbforaging" else ""
            tasks = f"task: the {prefix.rstrip('-')} tasks of gymnasium"
            import_optional(package, tasks, f"'pyqmix-marl[{package}]'{native}")
    try:
        # List rewards and tuple spaces make gymnasium's checker warn at every reset.
        make = partial(gymnasium.make, task, disable_env_checker=True)
        env: gymnasium.Env[Any, Any] = make_foreign(task, make, arguments)
        return env
    except EnvError as error:
        cause = error.__cause__
        if not isinstance(cause, (gymnasium.error.Error, ImportError)):
            raise
        why, _, _ = first_line(cause).partition(" Did you mean")  # which leaves the version out
        raise ConfigError(
            f"task: gymnasium cannot make {task!r}: {why}{near(task, gymnasium.registry)}"
        ) from cause


# An id that gymnasium's registry has; a module before ":" would be imported.
FAMILY = EnvFamily("gymnasium", GymnasiumOptions, make_gymnasium_env, safe_tasks=r"[\w/.-]+")
