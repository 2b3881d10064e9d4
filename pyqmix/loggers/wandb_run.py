"""Weights & Biases, whose own environment variables (WANDB_MODE, WANDB_DIR and so on) keep their meaning."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from typing import Any

from pyqmix.base.errors import ConfigError
from pyqmix.envs.importing import import_optional
from pyqmix.loggers.protocol import LoggedRun, Status

_EXIT_CODES = {"finished": 0, "stopped": 130, "failed": 1}


class WandbRun:
    """A run of W&B.

    W&B neither captures the output nor asks for a key: the first would break the live display, and the second wait
    for an answer that nobody is there to give.

    Raises:
        ConfigError: wandb is not installed, or has no key.
    """

    def __init__(self, run: LoggedRun) -> None:
        os.environ.setdefault("WANDB_SILENT", "true")  # read when wandb is imported
        wandb: Any = import_optional("wandb", "loggers: runs of W&B", "'pyqmix-marl[wandb]'")
        settings = {} if "WANDB_CONSOLE" in os.environ else {"console": "off"}
        if wandb.setup().settings.mode in ("online", "shared") and not wandb.login(prompt=False):
            raise ConfigError("loggers: wandb has no key: run `wandb login`, or set WANDB_MODE=offline")
        self.id: str | None = run.id or secrets.token_hex(4)
        self._run = wandb.init(
            project=run.project("WANDB_PROJECT"),
            name=run.name,
            id=self.id,
            resume=None if run.id is None else "allow",
            config=dict(run.options),
            allow_val_change=True,
            reinit="create_new",  # a run of the user's own program goes on
            settings=wandb.Settings(**settings),
        )
        self._first = int(self._run.step)
        self.where = str(self._run.url or f"offline, in {os.path.dirname(self._run.dir)}")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Queue the numbers of a step; those that the server has already are left out."""
        if step >= self._first:
            self._run.log(dict(values), step=step)

    def close(self, status: Status) -> None:
        """Wait until everything is uploaded, or written where W&B is offline."""
        self._run.finish(exit_code=_EXIT_CODES[status])
