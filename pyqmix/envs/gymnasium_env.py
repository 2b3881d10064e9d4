"""Any gymnasium environment whose spaces are tuples with one entry for each agent."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from pyqmix.base.errors import ConfigError, near
from pyqmix.base.options import check_json_object, json_value
from pyqmix.base.spec import STORAGE_DTYPES, EpisodeSpec
from pyqmix.envs.family import EnvFamily
from pyqmix.envs.last_action import LastActionEnv
from pyqmix.envs.options import AgentInputs, EnvOptions, StepLimit, Task, TeamReward
from pyqmix.envs.protocol import Env, Point, Step


@dataclass(frozen=True)
class GymnasiumOptions(EnvOptions, AgentInputs, TeamReward, StepLimit, Task):
    """Options of ``--env gymnasium``."""

    env_args: Annotated[Any, json_value(check_json_object)] = None
    """Keyword arguments of gymnasium.make, a JSON object."""


class GymnasiumEnv:
    """Adapts a gymnasium environment: flattened observations, summed rewards, concatenated state.

    Episodes are as independent of each other as the environment's own ``reset(seed)`` makes them.

    Args:
        env: its observation space is a ``Tuple`` of equal ``Box`` spaces, its action space a ``Tuple`` of
            ``Discrete`` spaces that start at 0, each with one entry for each agent. It pays one reward, or one
            for each agent.
        episode_limit: the most steps of an episode; None takes the environment's own (``max_episode_steps``
            of its spec, or among its keyword arguments). A smaller one than the environment's truncates.
        name: its name in error messages; None takes its id.
        truncate_at_limit: a termination that the environment reports in the last step that the limit allows counts
            as truncation.
        team_reward: the sum of the agents' rewards, or their mean.
        scale_inputs: networks multiply each number of an observation by 1 / the largest absolute value that its
            space allows.

    Raises:
        ConfigError: the spaces are not of this kind, the episode limit is unknown, or a space to be scaled has no
            bounds.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        *,
        episode_limit: int | None = None,
        name: str | None = None,
        truncate_at_limit: bool = False,
        team_reward: str = "sum",
        scale_inputs: bool = False,
    ) -> None:
        self.env = env
        self._truncate_at_limit, self._team_reward = truncate_at_limit, team_reward
        self.name = name or (env.spec.id if env.spec is not None else type(env.unwrapped).__name__)
        boxes, actions = self._spaces()
        limit = _own_limit(env) if episode_limit is None else episode_limit
        if limit is None:
            raise ConfigError(f"{self.name} has no step limit of its own: set --episode-limit")
        if limit < 1:
            raise ConfigError(f"episode_limit: expected a positive integer, got {limit}")
        self._shape, self._dtype = boxes[0].shape, boxes[0].dtype
        width = int(np.prod(self._shape))
        self._avail = np.arange(max(actions)) < np.array(actions)[:, None]
        scale = self._scale(boxes) if scale_inputs else None
        self.spec = EpisodeSpec(
            n_agents=len(boxes),
            n_actions=max(actions),
            obs_dim=width,
            state_dim=width * len(boxes),
            episode_limit=limit,
            concat_state=True,
            obs_storage=self._obs_storage(),
            obs_scale=scale,
            state_scale=None if scale is None else scale * len(boxes),
        )
        self._steps = 0

    def reset(self, seed: int) -> Point:
        """Start an episode."""
        self._steps = 0
        observations, _ = self.env.reset(seed=seed)
        return self._point(observations)

    def step(self, actions: NDArray[np.int64]) -> Step:
        """Execute the joint action (n,)."""
        observations, reward, terminated, truncated, _ = self.env.step(tuple(actions.tolist()))
        self._steps += 1
        rewards = np.asarray(reward, dtype=np.float64)
        if rewards.size not in (1, self.spec.n_agents):
            raise ValueError(f"expected one reward or {self.spec.n_agents}, got {rewards.size}")
        at_limit = self._steps >= self.spec.episode_limit
        terminated = bool(terminated) and not (self._truncate_at_limit and at_limit)
        truncated = bool(truncated) or (not terminated and at_limit)
        team = rewards.mean() if self._team_reward == "mean" else rewards.sum()
        return Step(self._point(observations), float(team), terminated, truncated)

    def render(self) -> object:
        """Return the environment's picture where its render_mode is rgb_array, None otherwise."""
        return self.env.render() if self.env.render_mode == "rgb_array" else None

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def _obs_storage(self) -> str:
        """Name the dtype in which the replay stores observations: their own where it can, otherwise float32."""
        return str(self._dtype) if str(self._dtype) in STORAGE_DTYPES else "float32"

    def _scale(self, boxes: list[spaces.Box]) -> tuple[float, ...]:
        """Return 1 / the largest absolute value that each number can have, over all agents."""
        bounds = np.array([bound for box in boxes for bound in (box.low, box.high)], np.float64)
        largest = np.abs(bounds).max(0).ravel()
        if not np.isfinite(largest).all():
            raise ConfigError(f"scale_inputs: {self.name} has observations without bounds: {boxes[0]}")
        return tuple((1.0 / np.where(largest > 0, largest, 1.0)).tolist())

    def _available_actions(self) -> NDArray[np.bool_]:
        """Return (n, A) bool: every action that the agent's space has."""
        return self._avail

    def _spaces(self) -> tuple[list[spaces.Box], list[int]]:
        observations, actions = self.env.observation_space, self.env.action_space
        entries = list(observations.spaces) if isinstance(observations, spaces.Tuple) else []
        boxes = [box for box in entries if isinstance(box, spaces.Box)]
        choices = list(actions.spaces) if isinstance(actions, spaces.Tuple) else []
        if not boxes or len(boxes) < len(entries) or len({(box.shape, box.dtype) for box in boxes}) > 1:
            raise ConfigError(
                f"{self.name}: expected an observation space that is a Tuple of Boxes of one shape and "
                f"dtype, one for each agent, got {observations}"
            )
        sizes = [int(c.n) for c in choices if isinstance(c, spaces.Discrete) and c.start == 0]
        if len(sizes) != len(boxes) or len(choices) != len(boxes):
            raise ConfigError(
                f"{self.name}: expected an action space that is a Tuple of {len(boxes)} Discrete spaces that "
                f"start at 0, got {actions}"
            )
        return boxes, sizes

    def _point(self, observations: Sequence[NDArray[Any]]) -> Point:
        if len(observations) != self.spec.n_agents:
            raise ValueError(f"expected {self.spec.n_agents} observations, got {len(observations)}")
        for agent, obs in enumerate(observations):
            if not isinstance(obs, np.ndarray) or obs.shape != self._shape or obs.dtype != self._dtype:
                got = f"{obs.shape} {obs.dtype}" if isinstance(obs, np.ndarray) else type(obs).__name__
                raise ValueError(f"observation of agent {agent}: expected {self._shape} {self._dtype}, got {got}")
        stacked = np.stack(observations).reshape(self.spec.n_agents, -1)
        return Point(np.ascontiguousarray(stacked, dtype=np.float32), self._available_actions(), None)


def _own_limit(env: gymnasium.Env[Any, Any]) -> int | None:
    if env.spec is None:
        return None
    limit = env.spec.max_episode_steps or env.spec.kwargs.get("max_episode_steps")
    return limit if isinstance(limit, int) else None


def _make(options: GymnasiumOptions) -> Env:
    env = make_gymnasium_env(options)
    return LastActionEnv(env) if options.last_action else env


def make_gymnasium_env(options: GymnasiumOptions) -> GymnasiumEnv:
    """Build ``gymnasium.make(task, **env_args)`` and adapt it.

    Raises:
        ConfigError: no such id is registered, or the environment does not fit :class:`GymnasiumEnv`.
    """
    task = options.task
    if not task:
        raise ConfigError("--env gymnasium needs --task with the id of a registered environment")
    if task.startswith("Foraging"):
        _register_foraging()
    # List rewards and tuple spaces make gymnasium's checker warn at every reset.
    try:
        env = gymnasium.make(task, disable_env_checker=True, **(options.env_args or {}))
    except Exception as error:  # the environment's own code may raise anything
        text = " ".join(str(error).splitlines()[:1]) or type(error).__name__
        suggestion = near(task, gymnasium.registry)
        raise ConfigError(f"task: gymnasium cannot make {task!r}: {text}{suggestion}") from error
    return GymnasiumEnv(
        env,
        episode_limit=options.episode_limit,
        name=task,
        truncate_at_limit=options.truncate_at_limit,
        team_reward=options.team_reward,
        scale_inputs=options.scale_inputs,
    )


def _register_foraging() -> None:
    try:
        importlib.import_module("lbforaging")
    except ImportError:
        raise ConfigError(
            "task: the Foraging tasks of gymnasium need lbforaging: pip install 'pyqmix-marl[lbforaging]'; "
            "--env lbf plays the same tasks natively"
        ) from None


FAMILY = EnvFamily("gymnasium", GymnasiumOptions, _make)
