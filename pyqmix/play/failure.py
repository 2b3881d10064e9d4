"""An exception of a process that plays episodes, on its way to the trainer."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import NoReturn

from pyqmix.base.errors import EnvError, WorkerTraceback, raised_outside
from pyqmix.envs.importing import described


@dataclass(frozen=True)
class Failure:
    """An exception, or a RuntimeError with the text of one that cannot be passed on, and its traceback.

    Attributes:
        error: to be raised again.
        traceback: of the exception; of an environment's own exception only that.
        of_environment: whether code of the environment raised it.
    """

    error: Exception
    traceback: str
    of_environment: bool

    def raise_again(self) -> NoReturn:
        """Raise the exception, with its traceback as the cause."""
        raise self.error from WorkerTraceback(self.traceback, self.of_environment)


def failure(error: BaseException, call: str) -> Failure:
    """Describe an exception to the trainer.

    Args:
        error: the exception.
        call: what raised it, for a sentence.
    """
    if not isinstance(error, (Exception, SystemExit)):  # a rollout passes these on, as Ctrl-C raises one elsewhere
        text = "".join(traceback.format_exception(error))
        return Failure(EnvError(f"{call} raised {described(error)}"), text, raised_outside(error))
    cause = error.__cause__
    own = cause if isinstance(error, EnvError) and cause is not None and raised_outside(cause) else None
    text = "".join(traceback.format_exception(own or error))
    passed = type(error).__module__.startswith("pyqmix.") or isinstance(error, MemoryError)
    if passed and isinstance(error, Exception):
        return Failure(type(error)(*error.args), text, own is not None and raised_outside(own))
    return Failure(RuntimeError(f"a worker failed: {described(error)}"), text, False)
