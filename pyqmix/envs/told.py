"""Reads the flags, numbers and tuples that an environment of another library returns: exactly, or not at all."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_HALVES = "expected (observations, info), where info is a dictionary, got "
_FIVE = "expected step to return (observations, reward, terminated, truncated, info), got "
_OLD = "; four are what step returned before gym 0.26, when one flag stood for terminated and truncated"
_LONG = 10**40  # of more digits than anyone reads
_FLOAT32 = np.dtype(np.float32)
_LARGEST = float(np.finfo(np.float32).max)
_SURELY_SMALLER = 1e76  # the squares of all numbers together: each is in float32's range


def pair(returned: Any) -> tuple[Any, Mapping[Any, Any]]:
    """Return the observations and the info of a reset.

    Raises:
        ValueError: it returned something else, such as the observations alone.
    """
    if not isinstance(returned, (tuple, list)) or len(returned) != 2 or not isinstance(returned[1], Mapping):
        raise ValueError(_HALVES + described(returned))
    return returned[0], returned[1]


def five(returned: Any) -> Sequence[Any]:
    """Return the observations, rewards, flags of termination and truncation, and info of a step.

    Raises:
        ValueError: it returned something else.
    """
    if isinstance(returned, (tuple, list)) and len(returned) == 5:
        return returned
    old = _OLD if isinstance(returned, (tuple, list)) and len(returned) == 4 else ""
    raise ValueError(_FIVE + described(returned) + old)


def mapping(given: Any, what: str) -> Mapping[Any, Any]:
    """Return a dictionary.

    Raises:
        ValueError: it is none.
    """
    if type(given) is dict or isinstance(given, Mapping):
        return given
    raise ValueError(f"{what}: expected a dictionary, got {described(given)}")


def each_of(given: Any, n: int, what: str) -> Sequence[Any]:
    """Return n things, one for each agent in order.

    Raises:
        ValueError: they are others than n many, or have no order.
    """
    if type(given) in (tuple, list) and len(given) == n:
        return given  # type: ignore[no-any-return]
    unordered = isinstance(given, (Mapping, set, frozenset, str, bytes)) or not hasattr(given, "__len__")
    if unordered or not np.ndim(given):
        raise ValueError(f"expected a list, a tuple or an array of {n} {what}, got {described(given)}")
    if len(given) != n:
        raise ValueError(f"expected {n} {what}, got {len(given)}")
    return given  # type: ignore[no-any-return]


def flags(given: Any, n: int, what: str) -> list[bool]:
    """Return one flag, or one for each of n agents.

    Args:
        given: True, False, 1 or 0, of Python, NumPy or another library; or a list, a tuple or an array of n.
        n: the number of agents.
        what: names it in the message.

    Raises:
        ValueError: it is something else.
    """
    if type(given) is bool:
        return [given]
    array = as_array(given)
    if array is None or array.size not in (1, n) or not ((array == 0) | (array == 1)).all():
        many = f" or {n}" if n > 1 else ""
        raise ValueError(f"{what}: expected one flag{many} (True, False, 1 or 0), got {described(given)}")
    return [bool(flag) for flag in array.flat]


def flag(given: Any, what: str) -> bool:
    """Return one flag, as :func:`flags` reads it."""
    return given if type(given) is bool else flags(given, 1, what)[0]


def ending(terminated: Any, truncated: Any, n: int) -> tuple[bool, bool]:
    """Return whether an episode of n agents has terminated, and whether it has been truncated.

    Each is one flag for the team, or one for each agent. The episode ends when every agent has one of the two. It
    has terminated if all agents have; otherwise it has been truncated.

    Raises:
        ValueError: one is neither one flag nor n.
    """
    if type(terminated) is bool and type(truncated) is bool:
        return terminated, truncated
    ended, cut = flags(terminated, n, "terminated"), flags(truncated, n, "truncated")
    if len(ended) == len(cut) == 1:
        return ended[0], cut[0]
    over = all(np.logical_or(ended, cut))
    return all(ended), over and not all(ended)


def rewards_of(given: Any, n: int, what: str = "reward") -> NDArray[np.float64]:
    """Return one reward, (1,), or one for each of n agents, (n,).

    Raises:
        ValueError: they are not numbers, or others than one or n many.
    """
    array = as_array(given)
    if array is None or array.size not in (1, n):
        many = f" or {n}" if n > 1 else ""
        raise ValueError(f"{what}: expected one number{many}, got {described(given)}")
    return array.reshape(-1).astype(np.float64)


def as_array(given: Any) -> NDArray[Any] | None:
    """Return bools, integers or floats as an array; None for anything else, as for an array that masks numbers."""
    try:
        array = np.asarray(given)
    except (TypeError, ValueError, RuntimeError):  # ragged, or a tensor that NumPy cannot read
        return None
    return None if array.dtype.kind not in "biuf" or isinstance(given, np.ma.MaskedArray) else array


def exact(vector: NDArray[Any], what: str) -> NDArray[Any]:
    """Return numbers that float32 holds: integers exactly, floats but for their rounding.

    Args:
        vector: (width,) of bools, integers or floats. NaN and infinity pass.
        what: names them in the message.

    Raises:
        ValueError: float32 cannot hold one of them.
    """
    dtype = vector.dtype
    if dtype == _FLOAT32 or dtype.itemsize <= 2:
        return vector
    if dtype.kind != "f":
        return _exact_integers(vector, what)
    try:
        if vector.dot(vector) < _SURELY_SMALLER:
            return vector
    except RuntimeWarning:  # it overflows, and warnings are errors
        pass
    if (beyond := np.isfinite(vector) & (np.abs(vector) > _LARGEST)).any():
        entry = int(beyond.argmax())
        raise ValueError(f"{what}: entry {entry} is {vector[entry]:g}, beyond float32's range")
    return vector


def _exact_integers(vector: NDArray[Any], what: str) -> NDArray[np.float32]:
    """Return integers of four or eight bytes as float32."""
    rounded = vector.astype(np.float32)
    bits = 8 * vector.dtype.itemsize - (vector.dtype.kind == "i")
    back = np.minimum(rounded, np.float32(2**bits - 2 ** (bits - 24))).astype(vector.dtype)
    if back.tobytes() != vector.tobytes():
        entry = int((back != vector).argmax())
        raise ValueError(f"{what}: entry {entry} is {vector[entry]}, which float32 cannot hold exactly")
    return rounded


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 60

    def repr_int(self, x: int, level: int) -> str:
        return repr(x) if abs(x) < _LONG else f"an integer of {x.bit_length()} bits"


def described(given: Any) -> str:
    """Describe a value that was not expected, in a few words."""
    if given is None:
        return "None"
    if isinstance(given, np.ndarray):
        return f"{given.shape} {given.dtype}{' (masked)' if isinstance(given, np.ma.MaskedArray) else ''}"
    if isinstance(given, (tuple, list)) and any(isinstance(each, (np.ndarray, tuple, list)) for each in given):
        return f"a {type(given).__name__} of {len(given)}"
    if isinstance(given, int) and abs(given) >= _LONG:
        return f"an integer of {given.bit_length()} bits"
    try:
        return f"{type(given).__name__} {_Short().repr(given)}"
    except Exception:  # of the value's own __repr__
        return type(given).__name__
