"""The messages between a trainer and the players of a cluster."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyqmix.base.seeding import Stream
from pyqmix.play.episodes import Played


@dataclass(frozen=True)
class Span:
    """Episodes that follow each other in a stream.

    Attributes:
        first: the first one's index.
        count: how many.
    """

    first: int
    count: int

    def __str__(self) -> str:
        if self.count == 1:
            return f"episode {self.first}"
        return f"episodes {self.first} to {self.first + self.count - 1}"

    def parts(self, size: int) -> list[Span]:
        """Split into spans of ``size`` episodes; the last one may be shorter."""
        end = self.first + self.count
        return [Span(first, min(size, end - first)) for first in range(self.first, end, size)]


@dataclass(frozen=True)
class Order:
    """Episodes to play with one policy.

    Attributes:
        span: which.
        seed: of the run, or of an evaluation.
        stream: the stream that the episodes' seeds come from.
        epsilon: exploration.
        sends: whether the trainer gets the episodes, and not their results alone.
    """

    span: Span
    seed: int
    stream: Stream
    epsilon: float
    sends: bool


@dataclass(frozen=True)
class Reply:
    """The result of an order.

    Attributes:
        played: the episodes' results.
        packed: (bytes,) uint8 of :func:`pyqmix.replay.packed.pack`, where the order asks for the episodes.
    """

    played: Played
    packed: NDArray[np.uint8] | None


@dataclass(frozen=True)
class Greeting:
    """A player's message when it is ready.

    Attributes:
        version: of pyqmix there.
        host: the machine's name.
        node: Ray's id of the node.
    """

    version: str
    host: str
    node: str
