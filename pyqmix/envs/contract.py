"""Checks of an environment's points and steps against its spec, cheap enough for every step of training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyqmix.base.errors import EnvError
from pyqmix.base.spec import EpisodeSpec
from pyqmix.envs.protocol import Point, Step
from pyqmix.envs.told import described

_LARGEST_REWARD = float(np.finfo(np.float32).max)  # the replay keeps float32
_FLAGS = (bool, np.bool_)
_FLOAT, _BOOL = np.dtype(np.float32), np.dtype(np.bool_)


class Contract:
    """Finds where an environment breaks the protocol :class:`pyqmix.envs.Env`.

    Every error names the environment, the episode, the step and, where one agent breaks it, the agent. Point 0
    is the reset's, point t + 1 that of step t.

    Args:
        name: the environment's.
        spec: the sizes of its episodes.
        labels: the agents' names in messages; empty: their indices.
    """

    def __init__(self, name: str, spec: EpisodeSpec, labels: Sequence[str] = ()) -> None:
        self._name, self._spec = name, spec
        self.labels = tuple(labels) or tuple(map(str, range(spec.n_agents)))
        self._obs_shape, self._avail_shape = (spec.n_agents, spec.obs_dim), (spec.n_agents, spec.n_actions)
        self._state_shape = (spec.state_dim,)
        self._every_action = np.ones(spec.n_actions, np.bool_)

    def check_point(self, point: Point, episode: int, step: int, needs_action: bool = True) -> None:
        """Check shapes, dtypes and values of a point.

        Args:
            point: what reset or a step has shown.
            episode: its index.
            step: its index; 0 is the reset's.
            needs_action: every agent must have an available action. Not needed after termination; after truncation
                it is, because the target bootstraps from the point.

        Raises:
            EnvError: an array is of another type, shape or dtype than the spec says, holds NaN or infinity, or an
                agent that must act has no available action.
        """
        if not isinstance(point, Point):
            raise self.blame(f"expected a pyqmix.envs.Point, got {type(point).__name__}", episode, step)
        obs, avail, state = point
        self._require("obs", obs, self._obs_shape, _FLOAT, episode, step)
        self._require("avail", avail, self._avail_shape, _BOOL, episode, step)
        if b"\0" in np.isfinite(obs).tobytes():  # in a third of the time of all()
            agent = int(np.isfinite(obs).all(-1).argmin())
            raise self.blame(f"obs of agent {self.labels[agent]}: {_first_odd(obs[agent])}", episode, step)
        if self._spec.concat_state:
            if state is not None:
                what = f"state: expected None, because the spec says concat_state, got {_describe(state)}"
                raise self.blame(what, episode, step)
        else:
            self._require("state", state, self._state_shape, _FLOAT, episode, step)
            if state is not None and b"\0" in np.isfinite(state).tobytes():
                raise self.blame(f"state: {_first_odd(state)}", episode, step)
        if needs_action and b"\0" in avail.dot(self._every_action).tobytes():
            agent = int(avail.any(-1).argmin())
            raise self.blame(f"agent {self.labels[agent]} has no available action", episode, step)

    def check_step(self, step: Step, episode: int, number: int) -> None:
        """Check a step's reward and flags, its point, and that an episode ends at its limit.

        Args:
            step: what the environment has returned.
            episode: its index.
            number: the step's index, from 0.

        Raises:
            EnvError: the reward is no finite number of float32's range, a flag is no bool, the episode goes on
                after ``episode_limit`` steps, or as for :meth:`check_point`.
        """
        if not isinstance(step, Step):
            raise self.blame(f"expected a pyqmix.envs.Step, got {type(step).__name__}", episode, number)
        point, reward, terminated, truncated, won = step
        if not isinstance(reward, (float, int, np.floating, np.integer)):
            raise self.blame(f"reward: expected a number, got {_describe(reward)}", episode, number)
        if not abs(reward if type(reward) is float else _as_float(reward)) <= _LARGEST_REWARD:  # NaN too
            beyond = f"{reward}" if isinstance(reward, (float, np.number)) else described(reward)
            raise self.blame(f"the reward is {beyond}", episode, number)
        for key in ("terminated", "truncated"):
            if type(getattr(step, key)) not in _FLAGS:
                what = f"{key}: expected a bool, got {_describe(getattr(step, key))}"
                raise self.blame(what, episode, number)
        if won is not None and type(won) not in _FLAGS:
            raise self.blame(f"won: expected a bool or None, got {_describe(won)}", episode, number)
        self.check_point(point, episode, number + 1, needs_action=not terminated)
        limit = self._spec.episode_limit
        if number + 1 >= limit and not (terminated or truncated):
            what = f"it has not ended after its limit of {limit} steps (episode_limit)"
            raise self.blame(what, episode, number + 1)

    def blame(self, what: str, episode: int, step: int = 0) -> EnvError:
        """Build the error that names the environment, the episode and the step."""
        return EnvError(f"environment {self._name}, episode {episode}, step {step}: {what}")

    def _require(
        self, key: str, value: object, shape: tuple[int, ...], dtype: np.dtype[np.generic], episode: int, step: int
    ) -> None:
        """Raise EnvError unless a value is an array of this shape and dtype."""
        fits = isinstance(value, np.ndarray) and value.dtype == dtype and value.shape == shape
        if fits and (type(value) is np.ndarray or not isinstance(value, np.ma.MaskedArray)):
            return
        agents = f" of {shape[0]} agents" if key != "state" and _rows(value) not in (None, shape[0]) else ""
        what = f"{key}{agents}: expected {shape} {dtype}, got {_describe(value)}"
        raise self.blame(what, episode, step)


def _as_float(number: Any) -> float:
    try:
        return float(number)
    except OverflowError:  # of an integer
        return math.inf


def _rows(value: object) -> int | None:
    return len(value) if isinstance(value, np.ndarray) and value.ndim > 0 else None


def _first_odd(values: NDArray[np.float32]) -> str:
    entry = int(np.isfinite(values).argmin())
    return f"entry {entry} is {values[entry]}"


def _describe(value: object) -> str:
    plain = isinstance(value, (np.ndarray, str, int, float))
    return described(value) if plain else type(value).__name__
