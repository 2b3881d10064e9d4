"""Names in a saved run's options by which foreign code would be imported; the user must trust them first.

A run folder may come from anyone. Without trust, an environment or a network that its config.json names is looked
up among pyqmix's own, those that the running program registered or brought, and those that installed packages
declare as entry points; a task must be one that its family of environments knows (:attr:`EnvFamily.safe_tasks`).
Other text in the options must be plain, because other libraries' constructors get it: plain text is neither a
dotted module, nor ``module:attribute``, nor a path with folders.

A file of options that the user names (:mod:`pyqmix.config.files`) is read by the same rule, because such files are
passed on, too.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pyqmix.base.errors import ConfigError
from pyqmix.base.options import option_names
from pyqmix.base.untrusted import texts_in
from pyqmix.config.options import RunOptions
from pyqmix.config.parts import REGISTRIES
from pyqmix.envs import env_family
from pyqmix.envs.family import PLAIN

Trust = bool | Collection[str]
"""True: every name in the folder; a collection of names, which the user has given; False: none."""

# The other options of a run are numbers, shares of it and choices, but for its folders.
_ARGUMENTS = {"agent_args", "mixer_args"}


def require_trusted_name(run: Path, option: str, name: str, trust: Trust) -> None:
    """Require that an environment or a network can be looked up without an import by the name that a folder has.

    Args:
        run: the run's folder, or a file of options, for the message.
        option: ``env``, ``agent`` or ``mixer``.
        name: what it has there.
        trust: the names that are trusted.

    Raises:
        ConfigError: it cannot, and is not trusted. Nothing was imported.
    """
    module = REGISTRIES[option].imports(name)
    if module is None or _trusts(trust, name):
        return
    if module == "__main__":
        reason = f"is of the script that trained it; give it as {option}={name.partition(':')[2]}"
    else:
        reason = f"would import {module}: {_advice(option, name)}"
    raise ConfigError(f"{run}: its {option} {name!r} {reason}")


def require_trusted_values(run: Path, values: Mapping[str, Any], trust: Trust) -> None:
    """Require that the environment and the networks get no value by which they would import or open something.

    Args:
        run: the run's folder, or a file of options, for the message.
        values: its options, whose environment is known.
        trust: the names that are trusted.

    Raises:
        ConfigError: there is a value that can name a module or a file, and is not trusted.
    """
    if trust is True:
        return
    task = values.get("task")
    family = env_family(values.get("env", "lbf"))
    if isinstance(task, str) and not re.fullmatch(family.safe_tasks, task) and not _trusts(trust, task):
        module, colon, _ = task.partition(":")
        reason = f"would import {module}" if colon else f"can name a module or a file that {family.name} lacks"
        raise ConfigError(f"{run}: its task {task!r} {reason}: {_advice('task', task)}")
    for option in values.keys() & _ARGUMENTS | values.keys() - set(option_names(RunOptions)) - {"task"}:
        require_plain(run, option, values[option])


def require_plain(run: Path, option: str, value: object) -> None:
    """Require that text in a value, at any depth, is plain.

    Raises:
        ConfigError: it can name a module or a file.
    """
    for text in texts_in(value):
        if not re.fullmatch(PLAIN, text):
            raise ConfigError(f"{run}: its {option} has {text[:80]!r}, which can name a module or a file: {_PASS}")


_PASS = "pass --trust (in Python trust=True) if you trust it"


def _advice(option: str, name: str) -> str:
    in_python = "" if option == "task" else f", in Python {option}=..."
    return f"{_PASS}, or name the {option} yourself (--{option} {shlex.quote(name)}{in_python})"


def _trusts(trust: Trust, name: str) -> bool:
    return trust if isinstance(trust, bool) else not isinstance(trust, str) and name in trust
