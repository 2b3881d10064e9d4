"""The arguments of a reset of a batch, in the conventions of ``gymnasium.vector.VectorEnv``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyqmix.envs.actions import check_seed
from pyqmix.envs.told import described


class Reset(NamedTuple):
    """Which of K environments begin an episode, and by which seeds.

    Attributes:
        seed: restarts the count of episodes; None does not.
        seeds: K, of the environments' own resets; None takes the batch's next episode. Empty: None for all.
        mask: (K,) bool, which environments are reset; None: all.
    """

    seed: int | None
    seeds: list[int | None]
    mask: NDArray[np.bool_] | None

    @property
    def seeds_all(self) -> bool:
        """Whether each of K environments has a seed of its own."""
        return bool(self.seeds) and None not in self.seeds


def read_reset(seed: Any, options: Any, num_envs: int) -> Reset:
    """Read the arguments of ``reset``.

    Args:
        seed: None, an integer, or K integers or None.
        options: None, or a dictionary with nothing but ``reset_mask``: (K,) bool, at least one of them True.
        num_envs: K.

    Raises:
        ValueError: they are something else.
    """
    of_batch = None if seed is None or _is_list(seed) else check_seed(seed)
    return Reset(of_batch, _seeds(seed, num_envs) if _is_list(seed) else [], _mask(options, num_envs))


def _is_list(seed: Any) -> bool:
    return isinstance(seed, (Sequence, np.ndarray)) and not isinstance(seed, str) and np.ndim(seed) > 0


def _seeds(seeds: Any, num_envs: int) -> list[int | None]:
    if len(seeds) != num_envs:
        raise ValueError(f"seed: expected one integer, or {num_envs}, got {len(seeds)}")
    return [None if seed is None else check_seed(seed) for seed in seeds]


def _mask(options: Any, num_envs: int) -> NDArray[np.bool_] | None:
    if options is None:
        return None
    if not isinstance(options, Mapping):
        raise ValueError(f"options: expected a dictionary, got {described(options)}")
    if unknown := [key for key in options if key != "reset_mask"]:
        raise ValueError(f"options: expected nothing but reset_mask, got {described(unknown[0])}")
    mask = options.get("reset_mask")
    if mask is None:
        return None
    if not isinstance(mask, np.ndarray) or mask.shape != (num_envs,) or mask.dtype != np.bool_:
        raise ValueError(f"reset_mask: expected an array ({num_envs},) bool, got {described(mask)}")
    if not mask.any():
        raise ValueError("reset_mask: expected at least one True, got none")
    return np.array(mask)
