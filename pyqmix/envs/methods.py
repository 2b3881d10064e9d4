"""Optional methods of a library's environment, which tell action masks or the global state."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from numpy.typing import NDArray

from pyqmix.envs.observation import as_vector

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


def _takes_nothing(method: Callable[..., Any]) -> bool:
    try:
        inspect.signature(method).bind()
    except (TypeError, ValueError):
        return False
    return True
