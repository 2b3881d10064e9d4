"""The protocol of the trainer's environments: one world, n agents that share a reward."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pyqmix.base.spec import EpisodeSpec


class Point(NamedTuple):
    """One point in time.

    Attributes:
        obs: (n, O) float32.
        avail: (n, A) bool, the actions available here.
        state: (S,) float32; None where the spec says that it is the concatenated observations.
    """

    obs: NDArray[np.float32]
    avail: NDArray[np.bool_]
    state: NDArray[np.float32] | None


class Step(NamedTuple):
    """The outcome of a joint action.

    Attributes:
        point: the new point in time; also after the last step, where it is o', s'.
        reward: the team's.
        terminated: the task ended, so the target does not bootstrap.
        truncated: a time limit cut the episode, so the target bootstraps from the new point.
        won: whether the team has won, read at an episode's last step; None where the environment does not tell.
    """

    point: Point
    reward: float
    terminated: bool
    truncated: bool
    won: bool | None = None


class Env(Protocol):
    """One world. An episode depends on its reset's seed and the actions alone, not on earlier episodes."""

    @property
    def name(self) -> str:
        """Its name in error messages."""

    @property
    def spec(self) -> EpisodeSpec:
        """Sizes of its episodes."""

    def reset(self, seed: int) -> Point:
        """Start an episode; ``seed`` is a non-negative integer below 2**31."""

    def step(self, actions: NDArray[np.int64]) -> Step:
        """Execute the joint action (n,)."""

    def close(self) -> None:
        """Free the environment's resources."""
