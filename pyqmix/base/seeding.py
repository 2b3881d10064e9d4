"""Seeds: each use of randomness has its own stream, and each episode its own place in it.

A seed depends on (seed, stream, index) alone, not on the number of environments, nor on earlier draws.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """The uses of randomness. The numbers are part of every saved run: never reuse one."""

    ENVIRONMENT = 0
    EXPLORATION = 1
    EVALUATION = 2
    REPLAY = 3
    PARAMETERS = 4
    TRANSITIONS = 5


def derive_seed(seed: int, stream: Stream, index: int = 0, rank: int = 0) -> int:
    """Return a seed in [0, 2**63) for the index-th use of a stream, by one of a run's learners."""
    key = (stream, index, rank) if rank else (stream, index)
    words = np.random.SeedSequence(seed, spawn_key=key).generate_state(1, np.uint64)
    return int(words[0]) >> 1


def episode_seed(seed: int, stream: Stream, index: int, wide: bool) -> int:
    """Return the seed of the reset that starts the index-th episode of a stream.

    Args:
        seed: of the run, or of an evaluation.
        stream: of the episodes.
        index: the episode's.
        wide: whether it is in [0, 2**63), as that of a native environment. That of one in Python is in [0, 2**31),
            because an int of C holds no larger one, and ``numpy.random.seed`` takes 32 bits.
    """
    derived = derive_seed(seed, stream, index)
    return derived if wide else derived >> 32


def generator(seed: int, stream: Stream, index: int = 0) -> np.random.Generator:
    """Return a generator for the index-th use of a stream."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(stream, index))))
