"""Things that an environment may offer: masks, a state, wins, a step limit; and sentences about the rest."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyqmix.envs.observation import as_vector
from pyqmix.envs.told import flags

LIMIT_NAMES = ("max_episode_steps", "max_cycles", "max_steps")
WIN_KEYS = ("battle_won", "won", "is_success", "success")
MASK_METHODS = ("action_masks", "get_avail_actions", "avail_actions")
STATE_METHODS = ("state", "get_state")

Method = Callable[[], Any]


def find_method(lookup: Callable[[str], Any], names: Iterable[str], notes: list[str]) -> Method | None:
    """Return the first attribute among names that can be called without arguments.

    Args:
        lookup: returns an attribute of the environment, or None.
        names: of the attributes.
        notes: gets a sentence about an attribute that exists and cannot be called so.
    """
    for name in names:
        found = lookup(name)
        if found is None:
            continue
        if callable(found) and _takes_nothing(found):
            method: Method = found
            return method
        notes.append(f"its {name!r} is not a method without arguments, so it is not used")
    return None


def example_state(read: Method, notes: list[str]) -> NDArray[Any] | None:
    """Return a global state as an example, None where there is none.

    Args:
        read: gives the state; None or NotImplementedError means that the environment has none.
        notes: gets a sentence about a state that is not made of numbers.
    """
    try:
        state = read()
    except NotImplementedError:
        return None
    try:
        return None if state is None else as_vector(state, None, "state")
    except ValueError as error:
        notes.append(f"the global state is not used, as it is not a vector: {error}")
        return None


class FromInfo:
    """Something that an environment's info may hold, always or never.

    Args:
        keys: the names that it may have.
        first: the info of the first reset, which tells whether it is there.
    """

    def __init__(self, keys: Sequence[str], first: Mapping[str, Any]) -> None:
        self._keys = keys
        self.key = next((key for key in keys if first.get(key) is not None), None)

    def read(self, info: Mapping[str, Any], optional: bool = False) -> Any:
        """Return it, None where it is never there.

        Raises:
            ValueError: it was not there at the first reset, or it is missing and not optional here.
        """
        if self.key is not None and (told := info.get(self.key)) is not None:
            return told
        if self.key is None:
            late = next((key for key in self._keys if info.get(key) is not None), None)
            if late is not None:
                raise ValueError(f"info holds {late!r}, which it did not hold after reset: give it both times")
        elif not optional:
            raise ValueError(f"info holds no {self.key!r}, which it held after reset")
        return None


def won_of(infos: Iterable[Mapping[str, Any]], n: int) -> bool | None:
    """Tell whether a team has won: every info that tells says so; None where none tells.

    Args:
        infos: of a step.
        n: the number of agents that an info is of; it tells by one flag or by n.

    Raises:
        ValueError: an info tells by something else.
    """
    told = [(key, info[key]) for info in infos for key in WIN_KEYS if info.get(key) is not None]
    return all(all(flags(value, n, f"info[{key!r}]")) for key, value in told) if told else None


def unused(info: Mapping[str, Any], used: Iterable[str | None]) -> list[str]:
    """Return a sentence for each thing in an info that nothing reads."""
    surplus = [key for key in info if key not in used and key not in WIN_KEYS]
    return [f"info also holds {key!r}, which is not used" for key in surplus]


def own_limit(holders: Iterable[object]) -> int | None:
    """Return the first step limit that a mapping or an object's attributes tell, under one of LIMIT_NAMES."""
    for holder in holders:
        for name in LIMIT_NAMES:
            limit = holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)
            if isinstance(limit, (int, np.integer)) and not isinstance(limit, bool) and limit > 0:
                return int(limit)
    return None


def _takes_nothing(method: Callable[..., Any]) -> bool:
    try:
        inspect.signature(method).bind()
    except (TypeError, ValueError):
        return False
    return True
