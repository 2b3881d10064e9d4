"""Several worlds that are stepped together: the interface that Python episodes are played through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pyqmix.base.errors import EnvError
from pyqmix.base.spec import EpisodeSpec
from pyqmix.envs.importing import blamed
from pyqmix.envs.native import NativeEnv
from pyqmix.envs.protocol import Env, Point, Step


class Worlds(Protocol):
    """K worlds of one kind, each in an episode of its own or idle.

    An episode depends on its reset's seed and its actions alone: not on its world's index, nor on K, nor on what
    the other worlds do. What ``reset`` and ``step`` return is read once, in order, before the next call; it may be
    an iterator that works when it is read, so that an exception concerns the world whose turn it is.
    """

    @property
    def name(self) -> str:
        """Its name in error messages."""

    @property
    def spec(self) -> EpisodeSpec:
        """Sizes of the episodes."""

    def __len__(self) -> int:
        """Return K."""

    def reset(self, indices: Sequence[int], seeds: Sequence[int]) -> Iterable[Point]:
        """Start an episode in each of the worlds that ``indices`` names, by a seed in [0, 2**31) for each."""

    def step(self, indices: Sequence[int], actions: NDArray[np.int64]) -> Iterable[Step]:
        """Execute the joint actions (len(indices), n) in the worlds that ``indices`` names; others are idle."""

    def close(self) -> None:
        """Free the worlds' resources."""


class EnvWorlds:
    """Environments that are stepped one after another.

    Args:
        envs: at least one, all of one kind.

    Attributes:
        wide_seeds: whether their seeds are in [0, 2**63), as those of native ones.
    """

    def __init__(self, envs: Sequence[Env]) -> None:
        self.envs = list(envs)
        self.name, self.spec = self.envs[0].name, self.envs[0].spec
        self.agent_labels: Sequence[str] = getattr(self.envs[0], "agent_labels", ())
        self.wide_seeds: bool = getattr(self.envs[0], "wide_seeds", False)

    def __len__(self) -> int:
        return len(self.envs)

    def reset(self, indices: Sequence[int], seeds: Sequence[int]) -> Iterator[Point]:
        """Reset one after another, as the result is read."""
        return (self.envs[index].reset(seed) for index, seed in zip(indices, seeds, strict=True))

    def step(self, indices: Sequence[int], actions: NDArray[np.int64]) -> Iterator[Step]:
        """Step one after another, as the result is read; each may overwrite its copy of the actions."""
        return (self.envs[index].step(joint.copy()) for index, joint in zip(indices, actions, strict=True))

    def snapshot(self, index: int) -> NDArray[np.uint8] | None:
        """Return a world's point in time as the replay stores it; None where its kind has no snapshots."""
        env = self.envs[index]
        return env.snapshot() if isinstance(env, NativeEnv) else None

    def close(self) -> None:
        """Close every environment.

        Raises:
            EnvError: one raised an error; all the others have been closed.
        """
        close_all(self.envs)


def close_all(envs: Sequence[Env]) -> None:
    """Close environments.

    Raises:
        EnvError: one raised an error; all the others have been closed.
    """
    errors: list[EnvError] = []
    for env in envs:
        try:
            with blamed(env.name, "close"):
                env.close()
        except EnvError as error:
            errors.append(error)
    if errors:
        raise errors[0]


class WorldEnv:
    """A single world as an environment.

    Args:
        worlds: of which K is 1.
    """

    def __init__(self, worlds: Worlds) -> None:
        self.worlds = worlds
        self.name, self.spec, self.agent_labels = worlds.name, worlds.spec, getattr(worlds, "agent_labels", ())

    def reset(self, seed: int) -> Point:
        """Start an episode."""
        return next(iter(self.worlds.reset([0], [seed])))

    def step(self, actions: NDArray[np.int64]) -> Step:
        """Execute the joint action (n,)."""
        return next(iter(self.worlds.step([0], actions[None])))

    def close(self) -> None:
        """Close the world."""
        self.worlds.close()
