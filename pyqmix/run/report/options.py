"""The command that repeats a run, and the values of options for people."""

from __future__ import annotations

import json
import shlex

from pyqmix.base.command_line import as_arguments
from pyqmix.config import Config
from pyqmix.config.origin import Nearest


def command(config: Config, nearest: Nearest) -> str | None:
    """Write the command that trains such a run again; None where a part is of a script, which a command lacks.

    Args:
        config: the run's options.
        nearest: their preset.
    """
    if any("<" in name or name.startswith("__main__:") for name in (config.env, config.agent, config.mixer)):
        return None
    changed = {name: value for name, (_, value) in nearest.changes.items()}
    task = {} if config.task_name is None else {"task": config.task_name}
    always = {"env": config.env, **task, "total_steps": config.total_steps, "seed": config.seed}
    arguments = as_arguments({**always, **changed}, type(config))
    return shlex.join(["pyqmix-train", f"--preset={nearest.preset}", *arguments])


def shown(value: object) -> str:
    """Write an option's value as the command line has it."""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value):
        return " ".join(value) or "none"
    return "none" if value is None else json.dumps(value)
