"""Turns the observation of one agent into a vector, whatever space of gymnasium it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from pyqmix.base.errors import ConfigError
from pyqmix.base.spec import STORAGE_DTYPES
from pyqmix.envs.told import as_array, described, exact

MASK_KEYS = ("action_mask", "avail_actions")


class Encoder(Protocol):
    """Encodes one agent's observations.

    Attributes:
        width: numbers in the vector.
        storage: dtype in which the replay stores them exactly.
        bounds: (2, width) float64, the smallest and the largest value of each number.
        has_mask: observations hold an action mask.
    """

    width: int
    storage: str
    has_mask: bool
    bounds: NDArray[np.float64]

    def __call__(self, value: Any, agent: str) -> NDArray[Any]:
        """Return the vector (width,) of an observation.

        Raises:
            ValueError: the observation does not fit; the message names the agent.
        """

    def mask(self, value: Any, agent: str) -> object:
        """Return the action mask that the observation holds, None without one."""


class SpaceEncoder:
    """Encodes observations of a space: a Box as it is, others one-hot and joined by gymnasium.

    A ``Dict`` with an "action_mask" (or "avail_actions") has its mask taken out. See :class:`Encoder`.

    Args:
        space: of one agent.
        owner: names the agent in messages.

    Raises:
        ConfigError: observations of this space have no fixed width.
    """

    def __init__(self, space: spaces.Space[Any], owner: str) -> None:
        self._mask_key: str | None = None
        self._rest_key: str | None = None
        if isinstance(space, spaces.Dict):
            space = self._without_mask(space)
        if not space.is_np_flattenable or spaces.flatdim(space) < 1:
            raise ConfigError(f"{owner}: expected observations of a fixed width, got {space}")
        self._space, self.has_mask = space, self._mask_key is not None
        flat = spaces.flatten_space(space)
        assert isinstance(flat, spaces.Box)
        self.width = int(flat.shape[0])
        one_hot = isinstance(space, (spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary))
        dtype = "uint8" if one_hot else str(flat.dtype)
        self.storage = dtype if dtype in STORAGE_DTYPES else "float32"
        self.bounds = np.array([flat.low, flat.high], np.float64)

    def __call__(self, value: Any, agent: str) -> NDArray[Any]:
        """Return the vector (width,) of an observation."""
        if self._rest_key is not None:
            value = self._entry(value, self._rest_key, agent)
        space = self._space
        if isinstance(space, spaces.Box):
            if not isinstance(value, np.ndarray) or value.shape != space.shape or value.dtype != space.dtype:
                got = f"{value.shape} {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__
                raise ValueError(f"observation of agent {agent}: expected {space.shape} {space.dtype}, got {got}")
            if type(value) is not np.ndarray:
                value = as_vector(value, None, f"observation of agent {agent}")
            return exact(value.reshape(-1), f"observation of agent {agent}")
        what = f"observation of agent {agent}"
        if not _is_one_of(space, value, what):
            raise ValueError(f"{what}: expected one of {space}, got {described(value)}")
        return exact(np.asarray(spaces.flatten(space, value)), what)

    def mask(self, value: Any, agent: str) -> object:
        """Return the action mask that the observation holds, None without one."""
        return None if self._mask_key is None else self._entry(value, self._mask_key, agent)

    def _without_mask(self, space: spaces.Dict) -> spaces.Space[Any]:
        self._mask_key = next((key for key in MASK_KEYS if key in space.spaces), None)
        rest = {key: entry for key, entry in space.spaces.items() if key != self._mask_key}
        if self._mask_key is None or len(rest) != 1:
            return spaces.Dict(rest)
        ((self._rest_key, only),) = rest.items()
        return only

    @staticmethod
    def _entry(value: Any, key: str, agent: str) -> Any:
        try:
            return value[key]
        except (LookupError, TypeError) as error:
            raise ValueError(
                f"observation of agent {agent}: expected a dictionary with {key!r}, got {value!r}"
            ) from error


def _is_one_of(space: spaces.Space[Any], value: Any, what: str) -> bool:
    """Whether gymnasium flattens a value of a space as it is: no number wraps around, is cut, or is another's."""
    if isinstance(space, spaces.Dict):
        return isinstance(value, Mapping) and all(
            key in value and _is_one_of(entry, value[key], what) for key, entry in space.spaces.items()
        )
    if isinstance(space, spaces.Tuple):
        parts = value if isinstance(value, (tuple, list)) else ()
        each = zip(space.spaces, parts, strict=False)
        return len(parts) == len(space.spaces) and all(_is_one_of(entry, part, what) for entry, part in each)
    if not isinstance(space, spaces.Box):
        return bool(space.contains(value))
    array = as_array(value)
    if array is None or array.shape != space.shape:
        return False
    if array.dtype.kind != "f":
        exact(array.reshape(-1), what)  # as joined with floats they are float64, which may round them before
    if array.dtype == space.dtype or space.dtype.kind == "f":
        return True
    low, high = (0, 1) if space.dtype.kind == "b" else (np.iinfo(space.dtype).min, np.iinfo(space.dtype).max)
    return bool(((array >= low) & (array <= high) & (array == np.floor(array))).all())


class VectorEncoder:
    """Encodes observations that are vectors of a known width and nothing else. See :class:`Encoder`."""

    def __init__(self, width: int, storage: str = "float32") -> None:
        self.width, self.storage, self.has_mask = width, storage, False
        self.bounds = np.array([[-np.inf] * width, [np.inf] * width])

    def __call__(self, value: Any, agent: str) -> NDArray[Any]:
        """Return the vector (width,) of an observation."""
        what = f"observation of agent {agent}"
        return exact(as_vector(value, self.width, what), what)

    def mask(self, value: Any, agent: str) -> object:
        """Return None."""
        return None


def as_vector(value: Any, width: int | None, what: str) -> NDArray[Any]:
    """Return numbers as a vector (width,).

    Args:
        value: an array or nested sequences of numbers.
        width: how many; None takes any.
        what: names them in the message.

    Raises:
        ValueError: they are not numbers, or others than ``width`` many.
    """
    array = as_array(value)
    if array is None or array.size == 0:
        raise ValueError(f"{what}: expected numbers, got {described(value)}")
    if width is not None and array.size != width:
        raise ValueError(f"{what}: expected {width} numbers, got {array.size}")
    return array.reshape(-1)


def scale_of(bounds: NDArray[np.float64], what: str) -> tuple[float, ...]:
    """Return 1 / the largest absolute value that each number can have.

    Args:
        bounds: (K, width), bounds of the same numbers.
        what: names them in the message.

    Raises:
        ConfigError: a number has no bounds.
    """
    largest = np.abs(bounds).max(0)
    if not np.isfinite(largest).all():
        raise ConfigError(f"scale_inputs: {what} without bounds")
    return tuple((1.0 / np.where(largest > 0, largest, 1.0)).tolist())
