"""Batches of environments in the conventions of ``gymnasium.vector.VectorEnv``.

An ended environment is reset by the next step, with reward 0 (next-step autoreset). Observations are
(K, n, O) float32, actions (K, n), rewards (K,) float64. ``infos`` holds ``avail_actions`` (K, n, A) bool and
``state`` (K, S) float32. At a step where an environment that tells wins ends an episode, it also holds
``battle_won`` (K,) bool and, as its mask, ``_battle_won`` (K,) bool: which entries are such an end. The k-th
episode that starts, counted over all environments in their order, is seeded by (seed, k), unless the reset that
starts it has a list of seeds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from pyqmix import _C
from pyqmix.base.errors import ConfigError
from pyqmix.base.seeding import Stream, episode_seed
from pyqmix.base.spec import EpisodeSpec
from pyqmix.envs.actions import as_actions, check_seed
from pyqmix.envs.contract import Contract
from pyqmix.envs.native import NativeEnv
from pyqmix.envs.protocol import Env, Point
from pyqmix.envs.separate import require_separate
from pyqmix.envs.vector_reset import Reset, read_reset
from pyqmix.envs.worlds import close_all

Observations = tuple[NDArray[np.float32], dict[str, Any]]
Steps = tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]


class EpisodeVectorEnv(VectorEnv[Any, Any, Any]):
    """Base class of the batches: spaces, seeds and the checks of actions."""

    def __init__(self, spec: EpisodeSpec, num_envs: int, seed: int) -> None:
        if isinstance(num_envs, bool) or not isinstance(num_envs, int) or num_envs < 1:
            raise ConfigError(f"num_envs: expected a positive integer, got {num_envs!r}")
        self.num_envs, self.seed, self.spec_of_episodes = num_envs, check_seed(seed), spec
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
        shape = (spec.n_agents, spec.obs_dim)
        self.single_observation_space = spaces.Box(-np.inf, np.inf, shape, np.float32)
        self.single_action_space = spaces.MultiDiscrete([spec.n_actions] * spec.n_agents)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._started = False

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> Observations:
        """Start an episode in every environment, or in those of ``options["reset_mask"]``.

        Args:
            seed: an integer restarts the count of episodes. Of a list (K,), an integer is the seed of that
                environment's own reset, and None takes the next episode of the count, which a list without None
                restarts, so that later episodes are the same, too.
            options: None, or ``{"reset_mask": mask}``, (K,) bool with at least one True. Other environments go on
                with their episodes; one that has ended begins its next episode at the next step.

        Returns:
            The observations and infos of all environments.

        Raises:
            ValueError: an argument is something else.
            RuntimeError: there is a mask, and the batch has never been reset as a whole.
        """
        which = read_reset(seed, options, self.num_envs)
        if which.mask is not None and not self._started:
            raise RuntimeError("reset_mask: expected a reset of all environments before one of some, got none")
        self._started = False
        if which.seed is not None or which.seeds_all:
            self.seed = self.seed if which.seed is None else which.seed
            self._restart(self.seed)
        shown = self._reset(which)
        self._started = True
        return shown

    def step(self, actions: NDArray[np.int64]) -> Steps:
        """Step every environment; one that ended in the last step is reset instead, with reward 0."""
        if not self._started:
            raise RuntimeError("reset the environment before the first step")
        taken = as_actions(actions)
        expected = (self.num_envs, self.spec_of_episodes.n_agents)
        if taken.shape != expected:
            raise ValueError(f"actions: expected {expected} int64, got {taken.shape}")
        return self._step(taken)

    def _restart(self, seed: int) -> None:
        raise NotImplementedError

    def _reset(self, which: Reset) -> Observations:
        raise NotImplementedError

    def _step(self, actions: NDArray[np.int64]) -> Steps:
        raise NotImplementedError


class SyncVectorEnv(EpisodeVectorEnv):
    """Steps K environments one after another.

    Args:
        envs: K, of one kind.
        seed: of the episodes, as the module says.

    Raises:
        ConfigError: two of them are one object, in which their episodes would mix.
    """

    def __init__(self, envs: list[Env], seed: int = 0) -> None:
        require_separate(envs)
        super().__init__(envs[0].spec, len(envs), seed)
        self.envs = envs
        self._contract = Contract(envs[0].name, envs[0].spec, getattr(envs[0], "agent_labels", ()))
        self._episodes = 0
        self._playing = [(0, 0)] * len(envs)  # the episode of each, and its steps
        self._points: list[Point] = []
        self._ended = np.zeros(self.num_envs, np.bool_)

    def close_extras(self, **kwargs: Any) -> None:
        """Close every environment.

        Raises:
            EnvError: one raised an error; all the others have been closed.
        """
        close_all(self.envs)

    def _restart(self, seed: int) -> None:
        self._episodes = 0

    def _reset(self, which: Reset) -> Observations:
        seeds = which.seeds or [None] * self.num_envs
        chosen = range(self.num_envs) if which.mask is None else np.flatnonzero(which.mask).tolist()
        started = {k: self._start(k, seeds[k]) for k in chosen}
        self._points = [started[k] if k in started else self._points[k] for k in range(self.num_envs)]
        self._ended[chosen] = False
        return self._observations()

    def _step(self, actions: NDArray[np.int64]) -> Steps:
        rewards = np.zeros(self.num_envs)
        terminations, truncations, won, told = np.zeros((4, self.num_envs), np.bool_)
        for k, env in enumerate(self.envs):
            if self._ended[k]:
                self._points[k] = self._start(k)
                continue
            step = env.step(actions[k].copy())
            episode, steps = self._playing[k]
            self._contract.check_step(step, episode, steps)
            self._playing[k] = episode, steps + 1
            self._points[k], rewards[k] = _copy(step.point), step.reward
            terminations[k], truncations[k] = step.terminated, step.truncated
            if step.won is not None and (step.terminated or step.truncated):
                won[k], told[k] = step.won, True
        self._ended = terminations | truncations
        observations, infos = self._observations()
        _add_wins(infos, won, told)
        return observations, rewards, terminations, truncations, infos

    def _start(self, k: int, seed: int | None = None) -> Point:
        env, self._playing[k] = self.envs[k], (self._episodes, 0)
        if seed is None:
            wide = getattr(env, "wide_seeds", False)
            seed = episode_seed(self.seed, Stream.ENVIRONMENT, self._episodes, wide)
            self._episodes += 1
        point = env.reset(seed)
        self._contract.check_point(point, self._playing[k][0], 0)
        return _copy(point)

    def _observations(self) -> Observations:
        states = [p.obs.reshape(-1) if p.state is None else p.state for p in self._points]
        infos = {"avail_actions": np.stack([p.avail for p in self._points]), "state": np.stack(states)}
        return np.stack([p.obs for p in self._points]), infos


class NativeVectorEnv(EpisodeVectorEnv):
    """Steps K native worlds in one call.

    The episodes are those of a :class:`SyncVectorEnv` of the same worlds. One thread at a time may use it; a
    second one gets an error.

    Args:
        env: the world to copy.
        num_envs: K.
        seed: of the episodes, as the module says.
        individual_rewards: rewards are (K, n), one for each agent, not the team's.
    """

    def __init__(self, env: NativeEnv, num_envs: int, seed: int = 0, individual_rewards: bool = False) -> None:
        super().__init__(env.spec, num_envs, seed)
        self._batch = _C.NativeBatch(env.native, num_envs, individual_rewards)
        self._batch.seed(seed)
        self._reports_wins = env.reports_wins
        self._rewards_shape = (num_envs, env.spec.n_agents) if individual_rewards else (num_envs,)

    def _restart(self, seed: int) -> None:
        self._batch.seed(seed)

    def _reset(self, which: Reset) -> Observations:
        obs, avail, state = self._outputs()
        self._batch.reset(obs, avail, state, which.mask, which.seeds)
        return self._observations(obs, avail, state)

    def _step(self, actions: NDArray[np.int64]) -> Steps:
        obs, avail, state = self._outputs()
        rewards = np.empty(self._rewards_shape)
        terminations, truncations = np.empty((2, self.num_envs), np.bool_)
        won = np.empty(self.num_envs, np.bool_) if self._reports_wins else None
        self._batch.step(actions, obs, avail, state, rewards, terminations, truncations, won)
        observations, infos = self._observations(obs, avail, state)
        if won is not None:
            _add_wins(infos, won, terminations | truncations)
        return observations, rewards, terminations, truncations, infos

    def _outputs(self) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32] | None]:
        spec = self.spec_of_episodes
        obs = np.empty((self.num_envs, spec.n_agents, spec.obs_dim), np.float32)
        avail = np.empty((self.num_envs, spec.n_agents, spec.n_actions), np.bool_)
        state = None if spec.concat_state else np.empty((self.num_envs, spec.state_dim), np.float32)
        return obs, avail, state

    def _observations(
        self, obs: NDArray[np.float32], avail: NDArray[np.bool_], state: NDArray[np.float32] | None
    ) -> Observations:
        shown = obs.reshape(self.num_envs, -1).copy() if state is None else state
        return obs, {"avail_actions": avail, "state": shown}


def _copy(point: Point) -> Point:
    """Return a point whose arrays no later call overwrites."""
    return Point(point.obs.copy(), point.avail.copy(), None if point.state is None else point.state.copy())


def _add_wins(infos: dict[str, Any], won: NDArray[np.bool_], told: NDArray[np.bool_]) -> None:
    """Put wins (K,) and the mask of those that are told into ``infos``, unless none is told."""
    if told.any():
        infos |= {"battle_won": won, "_battle_won": told}
