"""Environments by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, overload

from pyqmix.base.errors import ConfigError, unknown
from pyqmix.envs.games import MatrixGame, TwoStep
from pyqmix.envs.gymnasium_env import make_gymnasium_env
from pyqmix.envs.lbf.env import DEFAULT_TASK, LbfEnv
from pyqmix.envs.protocol import Env
from pyqmix.envs.vector import EpisodeVectorEnv, LbfVectorEnv, SyncVectorEnv

ENV_NAMES = ("lbf", "gymnasium", "two_step", "matrix")

_USERS = {
    "task": ("lbf", "gymnasium"),
    "env_args": ("lbf", "gymnasium"),
    "episode_limit": ("lbf", "gymnasium"),
    "truncate_at_limit": ("lbf",),
    "action_mask": ("lbf",),
    "global_state": ("lbf",),
    "team_reward": ("lbf",),
    "positions": ("lbf",),
    "last_action": ("lbf",),
    "scale_inputs": ("lbf",),
    "payoff": ("matrix",),
}


@dataclass(frozen=True)
class EnvOptions:
    """What can be chosen about an environment beside its task.

    Attributes:
        env_args: lbf: options of :class:`pyqmix.envs.ForagingEnv` that replace the task's; gymnasium: keyword
            arguments of ``gymnasium.make``.
        episode_limit: the most steps of an episode; None takes the environment's own.
        truncate_at_limit: lbf: report the step limit as truncation, not as termination.
        action_mask: lbf: offer only the actions that the rules allow.
        global_state: lbf: the state is positions and levels of all players and food.
        team_reward: lbf: sum or mean of the players' rewards; in a batch also "individual".
        positions: lbf: an agent sees rows and columns, distances from itself, or both.
        last_action: lbf: an agent sees which action it chose last.
        scale_inputs: lbf: networks read observations and states scaled to [-1, 1].
        payoff: matrix: the payoffs, a nested list with one dimension for each agent.
    """

    env_args: Mapping[str, Any] | None = None
    episode_limit: int | None = None
    truncate_at_limit: bool = False
    action_mask: bool = True
    global_state: bool = False
    team_reward: str = "sum"
    positions: str = "absolute"
    last_action: bool = False
    scale_inputs: bool = False
    payoff: object = None


def create_env(name: str, task: str | None = None, options: EnvOptions | None = None) -> Env:
    """Build one environment.

    Raises:
        ConfigError: the name, the task or an option does not fit.
    """
    options = options or EnvOptions()
    if name not in ENV_NAMES:
        raise unknown("env", name, ENV_NAMES)
    _refuse_what_does_nothing(name, task, options)
    if name == "two_step":
        return TwoStep()
    if name == "matrix":
        if options.payoff is None:
            raise ConfigError("payoff: matrix needs the payoffs, a nested list of numbers")
        return MatrixGame(options.payoff)
    if name == "gymnasium":
        return make_gymnasium_env(task, options.env_args, episode_limit=options.episode_limit)
    if options.team_reward == "individual":
        raise ConfigError("team_reward: expected sum or mean, the one reward of the team, got 'individual'")
    return create_lbf(task, options)


def create_lbf(task: str | None, options: EnvOptions) -> LbfEnv:
    """Build one board of Level-Based Foraging.

    Raises:
        ConfigError: the task or an option does not fit.
    """
    return LbfEnv(
        task or DEFAULT_TASK,
        options=options.env_args,
        step_limit=options.episode_limit,
        truncate_at_limit=options.truncate_at_limit,
        action_mask=options.action_mask,
        global_state=options.global_state,
        team_reward=options.team_reward,
        positions=options.positions,
        last_action=options.last_action,
        scale_inputs=options.scale_inputs,
    )


def has_option(env: str, name: str) -> bool:
    """Whether an environment takes an option of :class:`EnvOptions`."""
    return env in _USERS[name]


def _refuse_what_does_nothing(name: str, task: str | None, options: EnvOptions) -> None:
    values = {"task": task, **vars(options)}
    defaults = {"task": None, **vars(EnvOptions())}
    for option in _USERS:
        if not has_option(name, option) and values[option] != defaults[option]:
            raise ConfigError(f"{option}: {name} has no such option, got {values[option]!r}")


@overload
def make_env(
    name: str,
    *,
    task: str | None = ...,
    num_envs: None = ...,
    seed: int = ...,
    options: EnvOptions | None = ...,
) -> Env: ...
@overload
def make_env(
    name: str,
    *,
    task: str | None = ...,
    num_envs: int,
    seed: int = ...,
    options: EnvOptions | None = ...,
) -> EpisodeVectorEnv: ...
def make_env(
    name: str,
    *,
    task: str | None = None,
    num_envs: int | None = None,
    seed: int = 0,
    options: EnvOptions | None = None,
) -> Env | EpisodeVectorEnv:
    """Build an environment, or a batch of them in gymnasium's ``VectorEnv`` conventions.

    Args:
        name: lbf, gymnasium, two_step or matrix.
        task: of lbf or gymnasium; lbf's default is Foraging-8x8-2p-3f-v3.
        num_envs: None for one :class:`Env`, a number for a batch of so many (:mod:`pyqmix.envs.vector`).
        seed: of a batch: its k-th episode is the same for every num_envs.
        options: see :class:`EnvOptions`.

    Raises:
        ConfigError: an argument does not fit.
    """
    if num_envs is None:
        return create_env(name, task, options)
    if num_envs < 1:
        raise ConfigError(f"num_envs: expected a positive integer, got {num_envs}")
    if name == "lbf":
        options = options or EnvOptions()
        _refuse_what_does_nothing(name, task, options)
        return LbfVectorEnv(create_lbf(task, options), num_envs, seed)
    return SyncVectorEnv([create_env(name, task, options) for _ in range(num_envs)], seed)
