"""Episodes on their way: the one to play, its result, and the results of several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pyqmix.base.seeding import Stream
from pyqmix.nn import Agent


@dataclass(frozen=True)
class Played:
    """Results of several episodes, in their order.

    Attributes:
        returns: (K,) float64, undiscounted sums of the environment's own rewards.
        lengths: (K,) int64, steps.
        won: (K,) bool, whether the team has won; None unless the environment told of every episode.
        staleness: (K,) int64, by how many rounds of training the weights that played each episode were behind when
            the replay buffer got it; None where no episode is played ahead.
    """

    returns: NDArray[np.float64]
    lengths: NDArray[np.int64]
    won: NDArray[np.bool_] | None = None
    staleness: NDArray[np.int64] | None = None

    @property
    def steps(self) -> int:
        """All steps together."""
        return int(self.lengths.sum())

    def behind(self, rounds: int) -> Played:
        """Return the same results, of weights that are behind by a number of rounds of training."""
        return replace(self, staleness=np.full(len(self.lengths), rounds, np.int64))


@dataclass(frozen=True)
class Ahead:
    """Episodes that were played ahead and lie in a ring of their own.

    Attributes:
        first: the first one's index in the stream.
        count: how many.
        epsilon: exploration.
        ticket: the first one's in that ring.
        behind: by how many rounds of training the weights that played them are behind by now.
        played: their results.
    """

    first: int
    count: int
    epsilon: float
    ticket: int
    behind: int
    played: Played


class AnyRollout(Protocol):
    """Plays episodes of one stream: natively, in this process, in workers, or on a cluster."""

    def play(self, first: int, count: int, epsilon: float) -> Played:
        """Play the episodes first, ..., first + count - 1."""

    def apart(self, agent: Agent, seed: int, stream: Stream) -> AnyRollout:
        """Return a rollout of other episodes in the same environments, which keeps none of them."""

    def close(self) -> None:
        """Close the environments."""


class Ticket(NamedTuple):
    """An episode to play.

    Attributes:
        episode: its index in the stream.
        ticket: of the ring, which decides the slot that it lies in; None takes the next one.
    """

    episode: int
    ticket: int | None


class Outcome(NamedTuple):
    """Result of an episode."""

    episode: int
    reward_sum: float
    steps: int
    won: bool | None


class Watch(Protocol):
    """Is told when an environment begins to work, and when all of them have done so."""

    def enter(self, episode: int, step: int) -> None:
        """Take note that an episode's environment works: in its reset where the step is -1."""

    def leave(self) -> None:
        """Take note that no environment works."""

    def close(self) -> None:
        """Take note that no environment will work any more."""


def in_order(outcomes: Iterable[Outcome], first: int) -> Played:
    """Put the results of the episodes first, first + 1, ... into their order."""
    ordered = sorted(outcomes, key=lambda outcome: outcome.episode)
    assert [outcome.episode for outcome in ordered] == list(range(first, first + len(ordered)))
    return Played(
        returns=np.array([outcome.reward_sum for outcome in ordered], np.float64),
        lengths=np.array([outcome.steps for outcome in ordered], np.int64),
        won=all_told([outcome.won for outcome in ordered]),
    )


def joined(played: Sequence[Played]) -> Played:
    """Join the results of several calls."""
    won = [each.won for each in played if each.won is not None]
    staleness = [each.staleness for each in played if each.staleness is not None]
    return Played(
        returns=np.concatenate([each.returns for each in played]),
        lengths=np.concatenate([each.lengths for each in played]),
        won=np.concatenate(won) if len(won) == len(played) else None,
        staleness=np.concatenate(staleness) if len(staleness) == len(played) else None,
    )


def all_told(won: Sequence[bool | None]) -> NDArray[np.bool_] | None:
    """Return whether each of K episodes was won, (K,) bool; None unless the environment told of every one."""
    return None if None in won else np.array(won, np.bool_)
