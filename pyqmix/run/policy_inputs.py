"""Reads the arguments of a policy: arrays, or sequences with one entry for each agent, checked and padded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def read_obs(obs: object, n_agents: int, obs_dim: int, codes_dim: int) -> tuple[NDArray[np.float32], bool]:
    """Return observations as (K, n, O) float32, and whether they were those of K worlds.

    Args:
        obs: (n, O), (K, n, O), or a sequence of n vectors of at most O numbers, or None for one of zeros.
        n_agents: n.
        obs_dim: O.
        codes_dim: A, if the observations may hold codes (A) of the last actions behind the O numbers; else 0.

    Raises:
        ValueError: they have another shape or dtype, or are not finite.
    """
    array = _stacked("obs", obs, n_agents, obs_dim, codes_dim)
    n, width = n_agents, obs_dim
    expected = f"({n}, {width}) or (K, {n}, {width}) real numbers, or {n} vectors of at most {width}"
    fits = array.ndim in (2, 3) and array.shape[-2] == n and array.shape[-1] in (width, width + codes_dim)
    if not fits or array.dtype.kind not in "biuf" or len(array) == 0:
        raise ValueError(f"obs: expected {expected}, got {array.shape} {array.dtype}")
    inputs = np.ascontiguousarray(array, dtype=np.float32).reshape(-1, n, array.shape[-1])
    if not np.isfinite(inputs).all():
        world, agent, entry = (int(k) for k in np.argwhere(~np.isfinite(inputs))[0])
        where = f" in world {world}" if array.ndim == 3 else ""
        raise ValueError(f"obs of agent {agent}{where}: entry {entry} is {inputs[world, agent, entry]}")
    return inputs, array.ndim == 3


def read_avail(avail: object, worlds: tuple[int, ...], n_actions: int, batched: bool) -> NDArray[np.bool_]:
    """Return masks of available actions as (K, n, A) bool.

    Args:
        avail: (n, A), (K, n, A), or a sequence of n masks of at most A, or None for action 0 alone; None: every
            action is available.
        worlds: (K, n).
        n_actions: A.
        batched: whether K was given.

    Raises:
        ValueError: they have another shape, hold other values than 0 and 1, or leave an agent without an action.
    """
    shape = (*worlds, n_actions) if batched else (worlds[1], n_actions)
    if avail is None:
        return np.ones((*worlds, n_actions), np.bool_)
    if isinstance(avail, Sequence):
        avail = [[True] if mask is None else mask for mask in avail]
    array = _stacked("avail", avail, worlds[1], n_actions, 0)
    if array.shape != shape or array.dtype.kind not in "biu":
        raise ValueError(f"avail: expected {shape} bool, got {array.shape} {array.dtype}")
    if ((array != 0) & (array != 1)).any():
        raise ValueError(f"avail: expected 0 and 1, got {array.min()} to {array.max()}")
    allowed: NDArray[np.bool_] = (array != 0).reshape(*worlds, n_actions)
    if not allowed.any(-1).all():
        world, agent = (int(k) for k in np.argwhere(~allowed.any(-1))[0])
        where = f" in world {world}" if batched else ""
        raise ValueError(f"avail: agent {agent}{where} has no available action")
    return allowed


def read_worlds(worlds: object, count: int) -> NDArray[np.int64]:
    """Return which of ``count`` worlds an index, several indices or a mask (count,) bool mean.

    Raises:
        ValueError: there is no such world, or the mask has another size.
    """
    given = np.atleast_1d(np.asarray(worlds))
    if given.dtype == np.bool_ and given.shape == (count,):
        return np.flatnonzero(given)
    if given.size == 0:
        return np.zeros(0, np.int64)
    if given.dtype.kind not in "iu" or given.ndim != 1 or given.min() < 0 or given.max() >= count:
        raise ValueError(f"worlds: expected indices from 0 to {count - 1} or a mask ({count},), got {worlds!r}")
    return given.astype(np.int64)


def _stacked(name: str, given: object, n_agents: int, width: int, codes_dim: int) -> NDArray[Any]:
    """Return an array as it is, and a sequence of n vectors as rows that are padded with zeros."""
    if isinstance(given, np.ndarray) and given.dtype != np.object_:
        return given
    if not isinstance(given, (Sequence, np.ndarray)) or isinstance(given, (str, bytes)):
        raise ValueError(f"{name}: expected an array or a sequence, got {type(given).__name__}")
    rows = [None if each is None else _vector(name, agent, each) for agent, each in enumerate(given)]
    vectors = [row for row in rows if row is not None]
    if any(row.ndim != 1 for row in vectors) or len(rows) != n_agents:
        if any(row is None or row.shape != vectors[0].shape for row in rows):
            raise ValueError(f"{name}: expected one entry for each of {n_agents} agents, got {len(rows)}")
        return np.array(rows)
    if codes_dim and all(len(row) == width + codes_dim for row in vectors):
        width += codes_dim
    for agent, row in enumerate(rows):
        if row is not None and len(row) > width:
            raise ValueError(f"{name} of agent {agent}: expected at most {width} numbers, got {len(row)}")
    dtype = np.result_type(*vectors) if vectors else np.dtype(np.float32)
    padded = np.zeros((n_agents, width), dtype)
    for row, values in zip(padded, rows, strict=True):
        if values is not None:
            row[: len(values)] = values
    return padded


def _vector(name: str, agent: int, value: object) -> NDArray[Any]:
    try:
        array = np.asarray(value)
    except ValueError:  # ragged
        array = np.array(None)
    if array.dtype.kind not in "biuf" or array.ndim == 0:
        raise ValueError(f"{name} of agent {agent}: expected a vector of numbers, got {type(value).__name__}")
    return array
