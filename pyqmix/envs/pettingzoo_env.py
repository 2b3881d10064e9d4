"""PettingZoo environments with discrete actions, through the parallel API."""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from gymnasium import spaces

from pyqmix.base.errors import ConfigError, near
from pyqmix.envs.family import EnvFamily
from pyqmix.envs.importing import blamed, first_line, import_attribute, import_optional, import_task, make_foreign
from pyqmix.envs.observation import MASK_KEYS, SpaceEncoder
from pyqmix.envs.offers import FromInfo, example_state, own_limit, unused, won_of
from pyqmix.envs.options import AdapterOptions
from pyqmix.envs.team import GONE, Member, Outcome, Shown, TeamEnv
from pyqmix.envs.told import described, five, flag, mapping, pair, rewards_of

_EXTRA = "'pyqmix-marl[pettingzoo]'"
_NOTHING: dict[str, Any] = {}
_FAMILIES = ("atari", "butterfly", "classic", "magent", "sisl")  # of pettingzoo itself


@dataclass(frozen=True)
class PettingZooOptions(AdapterOptions):
    """Options of ``--env pettingzoo``."""


class PettingZooEnv(TeamEnv):
    """Adapts a PettingZoo environment of the parallel API. The team are its ``possible_agents``.

    The constructor resets the environment once to see its sizes. Action masks come from "action_mask" (or
    "avail_actions") in an agent's observation or info; the global state from ``state()``, where that is
    implemented, otherwise it is the concatenated observations. An agent that leaves the episode early observes
    zeros, has action 0 alone, which is not executed, and earns nothing more. The episode is truncated where the
    last agents leave by truncation, terminated where they terminate.

    Args:
        env: its agents have discrete actions and observations of a fixed width.
        name: its name in error messages; None takes that of its metadata.
        **rules: of :class:`pyqmix.envs.options.TeamRules`. ``episode_limit`` None takes the environment's
            ``max_cycles``, ``max_episode_steps`` or ``max_steps``.

    Raises:
        ConfigError: a space is not of this kind, the episode limit is unknown, or a space to be scaled has no
            bounds.
    """

    def __init__(self, env: Any, *, name: str | None = None, **rules: Any) -> None:
        self.env = env
        name = name or str(env)
        with blamed(name, "reading its agents and spaces"):
            self._agents: list[Any] = list(env.possible_agents)
            if not self._agents:
                raise ConfigError(f"{name}: expected possible_agents, got none")
            members = [self._member(name, agent) for agent in self._agents]
        self._encoders = {agent: member.encoder for agent, member in zip(self._agents, members, strict=True)}
        notes: list[str] = []
        with blamed(name, "its first reset"):
            _, infos = pair(env.reset(seed=0))
            state = example_state(getattr(env, "state", lambda: None), notes)
        self._has_state = state is not None
        self._mask_infos = {agent: FromInfo(MASK_KEYS, _info_of(agent, infos)) for agent in self._agents}
        for sentence in (s for agent in self._agents for s in self._unused(agent, _info_of(agent, infos))):
            if sentence not in notes:
                notes.append(sentence)
        self._live: set[Any] = set()
        space = getattr(env, "state_space", None)
        limit = own_limit([env, getattr(env, "unwrapped", env)])
        super().__init__(env, name, members, limit, state, space, notes, **rules)

    def _start(self, seed: int) -> Shown:
        observations, infos = pair(self.env.reset(seed=seed))
        self._live = self._among(self._agents)
        return self._shown(observations, infos, self._live)

    def _advance(self, actions: list[int]) -> Outcome:
        before = self._live
        chosen = {agent: action for agent, action in zip(self._agents, actions, strict=True) if agent in before}
        observations, rewards, terminations, truncations, infos = five(self.env.step(chosen))
        terminated = _set(before, terminations, "terminations")
        truncated = _set(before, truncations, "truncations") - terminated
        left = self._among(before)
        self._note_vanished(before - left - terminated - truncated)
        self._live = left - terminated - truncated
        ended = not self._live
        # Agents that a time limit takes out of the episode's last step are shown once more, for the bootstrap.
        cut = terminated | truncated if self.limit_truncates else truncated
        shown = self._shown(observations, mapping(infos, "infos"), cut if ended else self._live)
        earned = [_reward(agent, rewards) if agent in before else 0.0 for agent in self._agents]
        won = won_of([_info_of(agent, infos) for agent in self._agents], 1)
        return Outcome(shown, earned, ended and not truncated, ended and bool(truncated), won)

    def _shown(self, observations: Mapping[Any, Any], infos: Mapping[Any, Any], alive: set[Any]) -> Shown:
        obs = [_of(agent, observations, "observations") if agent in alive else GONE for agent in self._agents]
        masks = [
            self._read_mask(agent, observations[agent], _info_of(agent, infos)) if agent in alive else None
            for agent in self._agents
        ]
        known = any(mask is not None for mask in masks)
        return Shown(obs, masks if known else None, self.env.state() if self._has_state else None)

    def _among(self, earlier: Collection[Any]) -> set[Any]:
        """Return the agents of the episode, each of which took part earlier."""
        if surplus := [agent for agent in self.env.agents if agent not in earlier]:
            known = ", ".join(str(agent) for agent in self._agents if agent in earlier)
            raise ValueError(f"agents: expected some of {known}, got {surplus[0]} too")
        return set(self.env.agents)

    def _note_vanished(self, agents: Collection[Any]) -> None:
        if agents and not any("vanished" in note for note in self.notes):
            names = ", ".join(str(agent) for agent in self._agents if agent in agents)
            note = f"{names} vanished from agents without a termination or a truncation: it counts as termination"
            self.notes = (*self.notes, note)

    def _read_mask(self, agent: Any, observation: Any, info: Mapping[str, Any]) -> object:
        mask = self._mask_infos[agent].read(info)
        return self._encoders[agent].mask(observation, str(agent)) if mask is None else mask

    def _unused(self, agent: Any, info: Mapping[str, Any]) -> list[str]:
        used = self._mask_infos[agent].key if agent in self._mask_infos else None
        return unused(info, [used])

    def _member(self, name: str, agent: Any) -> Member:
        actions = self.env.action_space(agent)
        if not isinstance(actions, spaces.Discrete):
            hint = "; ask for discrete actions with --env-args" if isinstance(actions, spaces.Box) else ""
            raise ConfigError(f"{name}: expected a Discrete action space of agent {agent}, got {actions}{hint}")
        encoder = SpaceEncoder(self.env.observation_space(agent), f"{name}, agent {agent}")
        return Member(str(agent), encoder, int(actions.n), int(actions.start))


def _info_of(agent: Any, infos: Mapping[Any, Any]) -> Mapping[str, Any]:
    return mapping(infos.get(agent, _NOTHING), f"info of agent {agent}")


def _set(agents: Collection[Any], flags: Any, what: str) -> set[Any]:
    """Return those agents whose flag is set."""
    return {agent for agent in agents if flag(_of(agent, flags, what), f"{what} of agent {agent}")}


def _of(agent: Any, values: Any, what: str) -> Any:
    if not isinstance(values, Mapping) or agent not in values:
        got = f"entries for {', '.join(map(str, values))}" if isinstance(values, Mapping) else described(values)
        raise ValueError(f"{what}: expected a dictionary with an entry for agent {agent}, got {got}")
    return values[agent]


def _reward(agent: Any, rewards: Any) -> float:
    reward = _of(agent, rewards, "rewards")
    return reward if type(reward) is float else float(rewards_of(reward, 1, f"reward of agent {agent}")[0])


def is_parallel(env: object) -> bool:
    """Whether an object has PettingZoo's parallel API."""
    return hasattr(env, "possible_agents") and callable(getattr(env, "action_space", None)) and not is_aec(env)


def is_aec(env: object) -> bool:
    """Whether an object has PettingZoo's AEC API, in which agents act one after another."""
    return hasattr(env, "possible_agents") and callable(getattr(env, "agent_iter", None))


def to_parallel(env: Any, name: str) -> Any:
    """Return a parallel environment as it is, an AEC one converted.

    Raises:
        ConfigError: the AEC environment cannot be converted, as its agents' actions take effect one by one.
    """
    if not is_aec(env):
        return env
    conversions = import_optional("pettingzoo.utils.conversions", f"{name}: AEC environments", _EXTRA)
    try:
        return conversions.aec_to_parallel(env)
    except AssertionError as error:
        raise ConfigError(
            f"{name}: expected agents that act at the same time, but its metadata has no is_parallelizable"
        ) from error


def make_pettingzoo_env(options: AdapterOptions) -> PettingZooEnv:
    """Build the environment that a task names, and adapt it.

    The task is ``mpe2.simple_spread_v3`` (or ``mpe.``), ``butterfly.NAME``, any importable ``package.module`` with
    a ``parallel_env`` or an ``env``, or ``package.module:NAME`` with a callable that returns an environment.

    Raises:
        ConfigError: there is no such environment, or it does not fit :class:`PettingZooEnv`.
    """
    task = options.task
    if not task:
        raise ConfigError("--env pettingzoo needs --task with a module, such as mpe2.simple_spread_v3")
    env = make_foreign(task, _maker(task), options.arguments)
    parallel = to_parallel(env, task)
    if not is_parallel(parallel):
        raise ConfigError(f"task: expected {task!r} to make a PettingZoo environment, got {type(env).__name__}")
    rules = options.rules
    if options.episode_limit is None:
        rules["episode_limit"] = own_limit([options.arguments])  # None: the environment's attributes may tell
    return PettingZooEnv(parallel, name=task, **rules)


def _maker(task: str) -> Callable[..., Any]:
    if ":" in task:
        made: Callable[..., Any] = import_attribute(task)
        return made
    root, _, rest = task.partition(".")
    if root in ("mpe", "mpe2"):
        module = _of_package("mpe2", rest, task)
    elif root in _FAMILIES:
        module = _of_package(f"pettingzoo.{root}", rest, task)
    else:
        module = import_task(task, task)
    for name in ("parallel_env", "env"):
        if callable(getattr(module, name, None)):
            maker: Callable[..., Any] = getattr(module, name)
            return maker
    raise ConfigError(f"task: expected {task!r} to be a module with a parallel_env or an env")


def _of_package(package: str, name: str, task: str) -> Any:
    root = import_optional(package, f"task: {task!r} and its like", _EXTRA)
    known = [each.name for each in pkgutil.iter_modules(root.__path__) if each.name.rpartition("_v")[0]]
    if name not in known:
        raise ConfigError(f"task: {package} has no {name!r}{near(name, known)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # pettingzoo prefers its registry to its modules
            return importlib.import_module(f"{package}.{name}")
    except ImportError as error:
        extra = f"'pettingzoo[{package.rpartition('.')[2]}]'" if package != "mpe2" else _EXTRA
        raise ConfigError(
            f"task: {task!r} cannot be imported ({first_line(error)}): pip install {extra}"
        ) from error


FAMILY = EnvFamily(
    "pettingzoo",
    PettingZooOptions,
    make_pettingzoo_env,
    safe_tasks=rf"({'|'.join(('mpe2?', *_FAMILIES))})\.\w+",  # modules of two packages; any other name is imported
)
