"""One thread at a time: a second one gets an error, not a race."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from threading import RLock
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from pyqmix.base import program_end


class Exclusive(Protocol):
    """An object of which one thread at a time calls the methods that :func:`exclusive` decorates."""

    _in_use: InUse


class InUse:
    """The right to use an object, which one thread has at a time; it may take it again."""

    def __init__(self, name: str) -> None:
        self._name, self._lock = name, RLock()

    def __enter__(self) -> None:
        program_end.enter()
        if not self._lock.acquire(blocking=False):
            program_end.leave()
            raise RuntimeError(f"{self._name}: another thread is using it; make one for each thread")

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        program_end.leave()
        program_end.rest()


_Self = TypeVar("_Self", bound=Exclusive)
_Args = ParamSpec("_Args")
_Result = TypeVar("_Result")


def exclusive(
    method: Callable[Concatenate[_Self, _Args], _Result],
) -> Callable[Concatenate[_Self, _Args], _Result]:
    """Let a method raise a RuntimeError while another thread is in such a method of the same object."""

    @wraps(method)
    def alone(self: _Self, /, *args: _Args.args, **kwargs: _Args.kwargs) -> _Result:
        with self._in_use:
            return method(self, *args, **kwargs)

    return alone
