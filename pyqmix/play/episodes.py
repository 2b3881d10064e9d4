"""Episodes on their way: the one to play, its result, and the results of several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Played:
    """Results of several episodes, in their order.

    Attributes:
        returns: (K,) float64, undiscounted sums of the environment's own rewards.
        lengths: (K,) int64, steps.
        won: (K,) bool, whether the team has won; None unless the environment told of every episode.
    """

    returns: NDArray[np.float64]
    lengths: NDArray[np.int64]
    won: NDArray[np.bool_] | None = None

    @property
    def steps(self) -> int:
        """All steps together."""
        return int(self.lengths.sum())


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
    return Played(
        returns=np.concatenate([each.returns for each in played]),
        lengths=np.concatenate([each.lengths for each in played]),
        won=np.concatenate(won) if len(won) == len(played) else None,
    )


def all_told(won: Sequence[bool | None]) -> NDArray[np.bool_] | None:
    """Return whether each of K episodes was won, (K,) bool; None unless the environment told of every one."""
    return None if None in won else np.array(won, np.bool_)
