"""Errors that a user can cause; the commands print them as one line and exit with code 2."""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterable


class ConfigError(ValueError):
    """An option, or a combination of options, that cannot be used."""


class EnvError(RuntimeError):
    """An environment raised, or gave something unusable; names environment, episode and step."""


class DivergenceError(RuntimeError):
    """The loss is no longer a finite number."""


class ResourceError(RuntimeError):
    """The machine, or a limit of it, has no further thread or process for the run."""


class RankError(RuntimeError):
    """Another learner of the run has failed or ended, or has come apart from this one."""


class WorkerTraceback(Exception):  # noqa: N818 (only an error's cause)
    """The traceback of a worker's exception, which that exception has as its cause.

    Attributes:
        of_environment: whether code of the environment raised it.
    """

    def __init__(self, text: str, of_environment: bool = False) -> None:
        super().__init__(text)
        self.of_environment = of_environment

    def __str__(self) -> str:
        return "\n" + str(self.args[0])


def environment_traceback(error: BaseException) -> str | None:
    """Return the traceback of an environment's own exception; None for an error that no environment raised."""
    cause = error.__cause__
    if not isinstance(error, EnvError) or cause is None:
        return None
    if isinstance(cause, WorkerTraceback):
        return str(cause.args[0]) if cause.of_environment else None
    return "".join(traceback.format_exception(cause)) if raised_outside(cause) else None


def raised_outside(error: BaseException) -> bool:
    """Whether code that is not pyqmix's raised an exception, or called the code of pyqmix that did."""
    modules = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    return not modules or any(not module.startswith("pyqmix.") for module in modules)


def near(got: str, known: Iterable[str], most: int = 3) -> str:
    """Suggest known names that look like ``got``: ``; did you mean a, b?`` or nothing."""
    matches = difflib.get_close_matches(got, list(known), n=most, cutoff=0.5)
    return f"; did you mean {', '.join(matches)}?" if matches else ""


def unknown(option: str, got: object, known: Iterable[str]) -> ConfigError:
    """Build the error for a value that is not one of a small set of names."""
    known = list(known)
    text = f"{option}: expected one of {', '.join(known)}, got {got!r}"
    return ConfigError(text + near(str(got), known))
