"""A batch of environments in the conventions of ``gymnasium.vector.VectorEnv``."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from pyqmix.envs.protocol import Env, Point
from pyqmix.seeding import Stream, derive_seed


class SyncVectorEnv(VectorEnv[Any, Any, Any]):
    """Steps K environments one after another; an ended one is reset by the next step (next-step autoreset).

    Observations are (K, n, O) float32, actions (K, n), rewards (K,) float64. ``infos`` holds
    ``avail_actions`` (K, n, A) bool and ``state`` (K, S) float32. The k-th episode that starts, counted
    over all environments in their order, is seeded by (seed, k).
    """

    def __init__(self, envs: list[Env], seed: int = 0) -> None:
        self.envs, self.seed = envs, seed
        self.num_envs = len(envs)
        self.spec_of_episodes = spec = envs[0].spec
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
        shape = (spec.n_agents, spec.obs_dim)
        self.single_observation_space = spaces.Box(-np.inf, np.inf, shape, np.float32)
        self.single_action_space = spaces.MultiDiscrete([spec.n_actions] * spec.n_agents)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._episodes = 0
        self._points: list[Point] = []
        self._ended = np.zeros(self.num_envs, np.bool_)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start an episode in every environment; a seed restarts the count of episodes."""
        if isinstance(seed, list):
            raise ValueError("seed: expected one integer for the whole batch, got a list")
        if seed is not None:
            self.seed, self._episodes = seed, 0
        self._ended[:] = False
        self._points = [self._start(env) for env in self.envs]
        return self._observations()

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Step every environment; one that ended in the last step is reset instead, with reward 0."""
        if not self._points:
            raise RuntimeError("reset the environment before the first step")
        rewards = np.zeros(self.num_envs)
        terminations, truncations = np.zeros((2, self.num_envs), np.bool_)
        for k, env in enumerate(self.envs):
            if self._ended[k]:
                self._points[k] = self._start(env)
                continue
            step = env.step(np.asarray(actions[k], dtype=np.int64))
            self._points[k], rewards[k] = step.point, step.reward
            terminations[k], truncations[k] = step.terminated, step.truncated
        self._ended = terminations | truncations
        observations, infos = self._observations()
        return observations, rewards, terminations, truncations, infos

    def close_extras(self, **kwargs: Any) -> None:
        """Close every environment."""
        for env in self.envs:
            env.close()

    def _start(self, env: Env) -> Point:
        self._episodes += 1
        return env.reset(derive_seed(self.seed, Stream.ENVIRONMENT, self._episodes - 1))

    def _observations(self) -> tuple[NDArray[np.float32], dict[str, Any]]:
        states = [p.obs.reshape(-1) if p.state is None else p.state for p in self._points]
        infos = {"avail_actions": np.stack([p.avail for p in self._points]), "state": np.stack(states)}
        return np.stack([p.obs for p in self._points]), infos
