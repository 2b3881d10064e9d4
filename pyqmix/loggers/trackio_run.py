"""trackio, which has the interface of W&B and keeps runs in a local database."""

from __future__ import annotations

import io
import re
import secrets
from collections.abc import Mapping
from contextlib import redirect_stdout
from contextvars import Context
from typing import Any

from pyqmix.envs.importing import import_optional
from pyqmix.loggers.protocol import LoggedRun, Status


class TrackioRun:
    """A run of trackio, which finds a run again by its name: a part of that is random.

    Raises:
        ConfigError: trackio is not installed.
    """

    def __init__(self, run: LoggedRun) -> None:
        trackio: Any = import_optional("trackio", "loggers: runs of trackio", "'pyqmix-marl[trackio]'")
        name = f"{re.sub(r'[^A-Za-z0-9_.-]', '_', run.name)[:64]}-{secrets.token_hex(3)}"
        self.id: str | None = run.id or name
        project = run.project("TRACKIO_PROJECT")
        with redirect_stdout(io.StringIO()):  # it prints six lines, in colours
            self._run = Context().run(  # an empty one, so that a run of the user's own program goes on
                trackio.init,
                project=project,
                name=self.id,
                resume="never" if run.id is None else "allow",
                config=dict(run.options),
                embed=False,
            )
        self.where = f"run {self.id}; trackio show --project {project}"

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Queue the numbers of a step."""
        self._run.log(dict(values), step=step)

    def close(self, status: Status) -> None:
        """Wait until everything is written."""
        with redirect_stdout(io.StringIO()):
            self._run.finish()
