"""The methods that a logger has, and the description of a run that it is made from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Status = Literal["finished", "stopped", "failed"]


@dataclass(frozen=True)
class LoggedRun:
    """A run, as the makers of loggers get it.

    Attributes:
        name: of its folder.
        options: all options of the run, as config.json has them.
        id: the id under which the tool knows the run, if it goes on; None for a new run.
    """

    name: str
    options: Mapping[str, Any]
    id: str | None = None

    def project(self, variable: str) -> str:
        """Return the name of the project: of the option, of an environment variable, or ``pyqmix``."""
        return str(self.options["project"] or os.environ.get(variable) or "pyqmix")


class Logger(Protocol):
    """Sends a run's numbers to a tool.

    It is made before training, in the thread that trains. One other thread makes all later calls, so that a tool
    that waits for its server holds up no training. An exception ends the logger and not the run.

    Attributes:
        id: the id under which the tool knows the run, which a resumed run is given again: letters, digits, ``_``,
            ``-`` and ``.``; None if it knows none.
        where: tells the user where the run can be seen.
    """

    id: str | None
    where: str

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Take the numbers of a step: the columns of metrics.csv that have a value, but for ``steps``."""

    def close(self, status: Status) -> None:
        """Send the rest, and end the run there: finished, stopped by a signal, or failed."""
