"""Native environments: games in C++ behind the trainer's protocol."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from pyqmix import _C
from pyqmix.base.spec import spec_of
from pyqmix.envs.actions import as_actions, check_seed
from pyqmix.envs.protocol import Point, Step


class NativeEnv:
    """One world of a native game. Every episode starts as in a new world.

    Rollouts and :class:`pyqmix.envs.NativeVectorEnv` play such a world in C++.

    Args:
        name: its name in error messages.
        native: the world.
        scale_inputs: networks multiply observations and states by the game's own factors; the environment itself
            shows them unscaled.
    """

    wide_seeds = True
    """Episodes have seeds in [0, 2**63), not in [0, 2**31) as those of environments in Python."""

    def __init__(self, name: str, native: _C.NativeEnv, scale_inputs: bool = False) -> None:
        self.name, self.native = name, native
        spec = spec_of(native.spec)
        if scale_inputs:
            of_obs = tuple(native.obs_scale)
            of_state = of_obs * spec.n_agents if spec.concat_state else tuple(native.state_scale)
            spec = dataclasses.replace(spec, obs_scale=of_obs, state_scale=of_state)
        self.spec = spec

    @property
    def reports_wins(self) -> bool:
        """Whether the game tells who has won, so that there is a win rate."""
        return self.native.reports_wins

    def reset(self, seed: int) -> Point:
        """Start an episode as in a new world.

        Raises:
            RuntimeError: no episode can start, as on a board where a player found no free cell.
        """
        self.native.start(check_seed(seed))
        return self._point()

    def step(self, actions: NDArray[np.int64]) -> Step:
        """Execute the joint action (n,).

        Raises:
            RuntimeError: no episode has started.
            ValueError: an action does not exist.
        """
        native = self.native
        native.step(as_actions(actions))
        return Step(self._point(), native.reward, native.terminated, native.truncated, native.won)

    def snapshot(self) -> NDArray[np.uint8] | None:
        """Return this point in time as the replay stores it, (bytes,); None where the spec has no snapshots."""
        return self.native.snapshot()

    def close(self) -> None:
        """Do nothing."""

    def _point(self) -> Point:
        state = None if self.spec.concat_state else self.native.state()
        return Point(self.native.observation(), self.native.avail(), state)
