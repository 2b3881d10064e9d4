"""The two games of the QMIX papers: small enough that every value of Q_tot can be checked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyqmix.base.errors import ConfigError
from pyqmix.base.spec import EpisodeSpec
from pyqmix.envs.protocol import Point, Step


class TwoStep:
    """The two-step cooperative game of arXiv:1803.11485, section 5.

    In the first state agent 0 alone decides: action 0 leads to state 2A, where every joint action is worth
    7, action 1 to 2B, where only (1, 1) is worth 8. Both agents observe the state as a one-hot vector
    (first, 2A, 2B); after the end it is zero.
    """

    PAYOFF_2A = ((7.0, 7.0), (7.0, 7.0))
    PAYOFF_2B = ((0.0, 1.0), (1.0, 8.0))

    name = "two_step"
    spec = EpisodeSpec(2, 2, 3, 3, 2, obs_storage="uint8", state_storage="uint8")

    def __init__(self) -> None:
        self._where = 0

    def reset(self, seed: int) -> Point:
        """Return to the first state; the seed changes nothing."""
        self._where = 0
        return self._point(self._where)

    def step(self, actions: NDArray[np.int64]) -> Step:
        """Move on (reward 0), or collect the payoff and end."""
        if self._where == 0:
            self._where = 1 if actions[0] == 0 else 2
            return Step(self._point(self._where), 0.0, False, False)
        payoff = self.PAYOFF_2A if self._where == 1 else self.PAYOFF_2B
        return Step(self._point(None), payoff[actions[0]][actions[1]], True, False)

    def close(self) -> None:
        """Do nothing."""

    def _point(self, where: int | None) -> Point:
        state = np.zeros(3, np.float32)
        if where is not None:
            state[where] = 1
        return Point(np.stack([state, state]), np.ones((2, 2), np.bool_), state)


class MatrixGame:
    """One joint action, one payoff: agent i chooses the index along axis i of the payoff array.

    Args:
        payoff: nested sequence or array of at least one dimension; its number of dimensions is the number
            of agents. Where agents have different numbers of actions, the surplus ones are unavailable.

    Raises:
        ConfigError: the payoff is not a regular array of finite numbers.
    """

    name = "matrix"

    def __init__(self, payoff: object) -> None:
        try:
            values = np.array(payoff)
        except ValueError:
            raise ConfigError(f"payoff: expected a regular nested list of numbers, got {payoff!r}") from None
        if values.dtype.kind not in "iuf" or values.ndim == 0 or values.size == 0 or not np.isfinite(values).all():
            raise ConfigError(f"payoff: expected a nested list of finite numbers, got {payoff!r}")
        self.payoff = values.astype(np.float64)
        sizes = self.payoff.shape
        self._avail = np.arange(max(sizes)) < np.array(sizes)[:, None]
        self.spec = EpisodeSpec(len(sizes), max(sizes), 1, 1, 1, obs_storage="uint8", state_storage="uint8")

    def reset(self, seed: int) -> Point:
        """Start the only step; the seed changes nothing."""
        return self._point(1.0)

    def step(self, actions: NDArray[np.int64]) -> Step:
        """Collect the payoff and end."""
        return Step(self._point(0.0), float(self.payoff[tuple(actions)]), True, False)

    def close(self) -> None:
        """Do nothing."""

    def _point(self, value: float) -> Point:
        obs = np.full((self.spec.n_agents, 1), value, np.float32)
        return Point(obs, self._avail, obs[0])
