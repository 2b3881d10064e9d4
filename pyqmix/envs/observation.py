"""Turns the observation of one agent into a vector, whatever space of gymnasium it comes from."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from pyqmix.base.errors import ConfigError
from pyqmix.base.spec import STORAGE_DTYPES

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
            return value.reshape(-1)
        try:
            flat = np.asarray(spaces.flatten(space, value))
        except (LookupError, TypeError, ValueError) as error:
            raise ValueError(f"observation of agent {agent}: expected one of {space}, got {value!r}") from error
        if flat.shape != (self.width,):
            raise ValueError(f"observation of agent {agent}: expected one of {space}, got {value!r}")
        return flat

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


class VectorEncoder:
    """Encodes observations that are vectors of a known width and nothing else. See :class:`Encoder`."""

    def __init__(self, width: int, storage: str = "float32") -> None:
        self.width, self.storage, self.has_mask = width, storage, False
        self.bounds = np.array([[-np.inf] * width, [np.inf] * width])

    def __call__(self, value: Any, agent: str) -> NDArray[Any]:
        """Return the vector (width,) of an observation."""
        return as_vector(value, self.width, f"observation of agent {agent}")

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
    try:
        array = np.asarray(value)
    except ValueError:  # ragged
        array = np.array(None)
    if array.dtype.kind not in "biuf" or array.size == 0:
        raise ValueError(f"{what}: expected numbers, got {type(value).__name__}")
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
