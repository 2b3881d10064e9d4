"""Greedy evaluation: its own seeds, in the environments that the training has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pyqmix.base.seeding import Stream
from pyqmix.base.wilson import wilson_interval
from pyqmix.config import Config
from pyqmix.nn import Agent
from pyqmix.play.create import create_rollout
from pyqmix.play.episodes import AnyRollout, Played


class Playing(Protocol):
    """What plays a training's episodes."""

    def apart(self, agent: Agent, seed: int, stream: Stream) -> AnyRollout:
        """Return a rollout of other episodes in the same environments, which keeps none of them."""


@dataclass(frozen=True)
class Evaluation:
    """Undiscounted returns of greedy episodes.

    Attributes:
        returns: (K,) float64.
        won: (K,) bool, whether the team has won; None where the environment does not tell.
        lengths: (K,) int64, steps; None where they were not kept.
    """

    returns: NDArray[np.float64]
    won: NDArray[np.bool_] | None = None
    lengths: NDArray[np.int64] | None = None

    @classmethod
    def of(cls, played: Played) -> Evaluation:
        """Return the evaluation that these episodes are."""
        return cls(played.returns, played.won, played.lengths)

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

    @property
    def win_rate_interval(self) -> tuple[float, float] | None:
        """Wilson's 95 % confidence interval of the win rate; None where the environment does not tell."""
        return None if self.win_rate is None else wilson_interval(self.win_rate, len(self.returns))

    def values(self) -> dict[str, float | None]:
        """Return mean, deviation, win rate and the win rate's interval by their columns in metrics.csv."""
        low, high = self.win_rate_interval or (None, None)
        return {
            "eval_return_mean": self.mean,
            "eval_return_std": self.std,
            "eval_win_rate": self.win_rate,
            "eval_win_rate_low": low,
            "eval_win_rate_high": high,
        }

    def interval(self, confidence: float = 0.95, resamples: int = 10_000) -> tuple[float, float]:
        """Return the percentile-bootstrap confidence interval of the mean; the same at every call."""
        random = np.random.default_rng(0)
        count = len(self.returns)
        means = [self.returns[random.integers(count, size=count)].mean() for _ in range(resamples)]
        low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
        return float(low), float(high)


class Evaluator:
    """Plays greedy episodes; neither the replay buffer nor the training's random streams notice.

    They are played in the environments, and by the worker processes, that play the training, so that no second set
    of a simulator exists. That changes no episode, as an episode depends on its reset's seed alone. Where there is
    no training, ``num_envs`` environments (no more than ``eval_episodes``) are built at the first evaluation.

    Args:
        config: names the environment.
        agent: the policy.
        seed: the episodes are those of (seed, index) in the evaluation's own stream.
        training: what plays the training's episodes, not at the same time; None: there is no training.
    """

    def __init__(self, config: Config, agent: Agent, seed: int, training: Playing | None = None) -> None:
        self._config, self._agent, self._seed, self._training = config, agent, seed, training
        self._rollout: AnyRollout | None = None
        self._played = 0

    def evaluate(self, episodes: int) -> Evaluation:
        """Play the next ``episodes`` episodes of the stream.

        Raises:
            EnvError: an environment raised or gave something unusable.
        """
        played = self.play(range(episodes))
        self.skip(episodes)
        return Evaluation.of(played)

    def play(self, mine: range) -> Played:
        """Play those of the next episodes of the stream that have these places among them, and do not skip them.

        Raises:
            EnvError: an environment raised or gave something unusable.
        """
        return self._player().play(self._played + mine.start, len(mine), epsilon=0.0)

    def skip(self, episodes: int) -> None:
        """Leave out episodes of the stream, because they have been played."""
        self._played += episodes

    def close(self) -> None:
        """Close the environments that are no training's."""
        if self._rollout is not None and self._training is None:
            self._rollout.close()

    def _player(self) -> AnyRollout:
        if self._rollout is None:
            config, stream = self._config, Stream.EVALUATION
            if self._training is not None:
                self._rollout = self._training.apart(self._agent, self._seed, stream)
            else:
                most = config.eval_episodes
                workers = config.num_workers if config.rollout == "local" else 0  # a cluster is for trainings
                num_envs, num_workers = min(config.num_envs, most), min(workers, most)
                self._rollout = create_rollout(
                    config, self._agent, self._seed, stream, num_envs, num_workers=num_workers
                )
        return self._rollout
