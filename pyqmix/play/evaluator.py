"""Greedy evaluation, apart from training: its own environments and its own seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyqmix.base.seeding import Stream
from pyqmix.config import Config
from pyqmix.nn import Agent
from pyqmix.play.create import create_rollout

EVAL_ENVS = 10  # play side by side


@dataclass(frozen=True)
class Evaluation:
    """Undiscounted returns of greedy episodes.

    Attributes:
        returns: (K,) float64.
        won: (K,) bool, whether the team has won; None where the environment does not tell.
    """

    returns: NDArray[np.float64]
    won: NDArray[np.bool_] | None = None

    @property
    def mean(self) -> float:
        """Mean return."""
        return float(self.returns.mean())

    @property
    def std(self) -> float:
        """Standard deviation of the returns (divisor K)."""
        return float(self.returns.std())

    @property
    def win_rate(self) -> float | None:
        """Share of the episodes that the team has won; None where the environment does not tell."""
        return None if self.won is None else float(self.won.mean())

    def interval(self, confidence: float = 0.95, resamples: int = 10_000) -> tuple[float, float]:
        """Return the percentile-bootstrap confidence interval of the mean; the same at every call."""
        random = np.random.default_rng(0)
        count = len(self.returns)
        means = [self.returns[random.integers(count, size=count)].mean() for _ in range(resamples)]
        low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
        return float(low), float(high)


class Evaluator:
    """Plays greedy episodes; neither the replay buffer nor the training's random streams notice.

    Args:
        config: which environments to make; they are used for nothing else.
        agent: the policy.
        seed: the episodes are those of (seed, index) in the evaluation's own stream.
    """

    def __init__(self, config: Config, agent: Agent, seed: int) -> None:
        num_envs = min(EVAL_ENVS, config.eval_episodes)
        self._rollout = create_rollout(config, agent, seed, Stream.EVALUATION, num_envs)
        self._played = 0

    def evaluate(self, episodes: int) -> Evaluation:
        """Play the next ``episodes`` episodes of the stream.

        Raises:
            EnvError: an environment raised or gave something unusable.
        """
        played = self._rollout.play(self._played, episodes, epsilon=0.0)
        self._played += episodes
        return Evaluation(played.returns, played.won)

    def skip(self, episodes: int) -> None:
        """Leave out episodes that were played before a run was resumed."""
        self._played += episodes

    def close(self) -> None:
        """Close the environments."""
        self._rollout.close()
