"""Actions and seeds as native environments take them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def as_actions(actions: ArrayLike) -> NDArray[np.int64]:
    """Return actions as a contiguous int64 array.

    Raises:
        ValueError: they are not integers.
    """
    array = np.asarray(actions)
    if array.dtype.kind not in "iu" and array.size:
        raise ValueError(f"actions: expected integers, got {array.dtype}")
    return np.ascontiguousarray(array, dtype=np.int64)


def check_seed(seed: object) -> int:
    """Return a seed, which must be an unsigned integer of 64 bits.

    Raises:
        ValueError: it is not.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**64:
        raise ValueError(f"seed: expected an integer from 0 to 2**64 - 1, got {seed!r}")
    return int(seed)
