"""Imports and calls the code of optional packages and of users, and names what it raises."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Protocol

from pyqmix.base.errors import ConfigError, EnvError


def import_optional(module: str, purpose: str, install: str) -> ModuleType:
    """Import a module of an optional package.

    Args:
        module: its name.
        purpose: names the things that need it, the start of the message.
        install: the arguments of ``pip install`` that bring it.

    Raises:
        ConfigError: it cannot be imported; one line with the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        absent = error.name is not None and error.name.partition(".")[0] == package
        why = "" if absent else f" ({first_line(error)})"
        raise ConfigError(f"{purpose} need {package}{why}: pip install {install}") from error


def import_task(module: str, task: str) -> ModuleType:
    """Import the module that a task names.

    Raises:
        ConfigError: there is no such module, or its own code raised an error, which is the cause.
    """
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as error:  # the module's own code may raise anything
        raise ConfigError(f"task: {task!r} cannot be imported: {first_line(error)}") from error


def import_attribute(task: str) -> Any:
    """Return what a task of the form ``package.module:name`` names.

    Raises:
        ConfigError: the module cannot be imported or has no such attribute.
    """
    module, _, name = task.partition(":")
    imported = import_task(module, task)
    if not hasattr(imported, name):
        raise ConfigError(f"task: expected module:name, got {task!r}, but {module} has no {name!r}")
    return getattr(imported, name)


def make_foreign(task: str, make: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """Call another library's constructor with keywords.

    Raises:
        ConfigError: it has no such keyword.
        EnvError: it raised an error, which is the cause.
    """
    with blamed(task, "its constructor"):
        try:
            return make(**arguments)
        except TypeError as error:
            if "unexpected keyword argument" not in str(error):
                raise
            raise ConfigError(f"env_args: {task!r} does not take them: {first_line(error)}") from error


@contextmanager
def blamed(name: str, what: str) -> Iterator[None]:
    """Turn an exception of an environment's own code into an EnvError, with the exception as its cause.

    Args:
        name: the environment's.
        what: the part of it that is called, such as ``its constructor``.
    """
    try:
        yield
    except (ConfigError, EnvError):
        raise
    except (Exception, SystemExit) as error:  # the environment's own code may raise anything
        raise EnvError(f"environment {name}: {what} raised {described(error)}") from error


_LONGEST = 1000  # characters of an exception's text in a message; its traceback has all


class Closable(Protocol):
    """An environment, or something that has environments."""

    def close(self) -> None:
        """Free its resources."""


def warn(line: str) -> None:
    """Tell of something by a Python warning."""
    warnings.warn(line, UserWarning, stacklevel=2)


def close(env: Closable, say: Callable[[str], None] = warn) -> None:
    """Close environments; an error of their own in closing is told, and no result is lost by it.

    Args:
        env: is closed.
        say: is told the error, in one line.
    """
    try:
        with blamed(getattr(env, "name", type(env).__name__), "close"):
            env.close()
    except EnvError as error:
        say(str(error))


@contextmanager
def closing(env: Closable, say: Callable[[str], None] = warn) -> Iterator[None]:
    """Close environments at the end of the block, as :func:`close` does."""
    try:
        yield
    finally:
        close(env, say)


def first_line(error: BaseException) -> str:
    """Return the first line of an exception's text, or the name of its type where it has none."""
    return " ".join(_text(error).splitlines()[:1]) or type(error).__name__


def described(error: BaseException) -> str:
    """Return an exception's type, and its text as one line where it has one."""
    line = " ".join(_text(error).split())[:_LONGEST]
    return f"{type(error).__name__}: {line}" if line else type(error).__name__


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # of the exception's own __str__
        return ""
