"""Reads the options that a run has saved."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pyqmix.base.errors import ConfigError
from pyqmix.base.sealed import read_object
from pyqmix.config.parts import REGISTRIES, Factory, refer, require_known
from pyqmix.config.trust import Trust, require_trusted_name, require_trusted_values
from pyqmix.envs import FAMILIES, EnvFamily
from pyqmix.loggers import LOGGERS


def read_options(path: Path, parts: Mapping[str, Factory | None], trust: Trust) -> dict[str, Any]:
    """Return the options in a run's config.json. Their run_dir is the folder that the file lies in.

    Args:
        path: the file.
        parts: classes or functions in place of the names that it has, by option.
        trust: the names in it by which something may be imported: :mod:`pyqmix.config.trust`.

    Raises:
        ConfigError: the file is absent or is not a JSON object, or an environment or a network in it is unknown
            here, or is not trusted. Nothing was imported for one that is not trusted.
    """
    values = read_object(path)
    names = refer(parts)
    if "env" in names and names["env"] != values.get("env"):
        values["task"] = None
    values.update(names)
    if isinstance(values.get("run_dir"), str):  # not where the file says: the run may have been moved, or sent
        values["run_dir"] = str(path.parent)
    if isinstance(values.get("loggers"), list):  # they do not matter to an evaluation; a run that goes on says so
        values["loggers"] = [name for name in values["loggers"] if name in LOGGERS.names]
    named = {option: name for option in REGISTRIES if isinstance(name := values.get(option), str)}
    for option, name in named.items():
        require_trusted_name(path.parent, option, name, trust)
    for option, name in named.items():
        require_known(path.parent, option, name)
    require_trusted_values(path.parent, values, trust)
    return values


def require_same(path: Path, given: Mapping[str, str]) -> None:
    """Require that a run's config.json has the names that were given, by option.

    Raises:
        ConfigError: it has others, or is no such file.
    """
    saved = read_object(path) if given else {}
    for option, name in given.items():
        if saved.get(option) != name:
            raise ConfigError(f"{option}: expected that of the run, {saved.get(option)!r}, got {name!r}")


def modernised(values: Mapping[str, Any], family: EnvFamily) -> dict[str, Any]:
    """Return the saved options of an environment's run as this version has them."""
    values = dict(values)
    if family.native and "num_workers" in values and values.get("rollout", "local") == "local":
        values["num_workers"] = 0  # workers played these games in older versions; the results are the same
    if values.get("episodes_per_update") is not None and values.get("updates_per_episode") == 1.0:
        values["updates_per_episode"] = None  # older versions saved this default of it
    return values


def of_environment(path: Path, values: Mapping[str, Any], own: tuple[str, ...]) -> dict[str, Any]:
    """Return the options that an environment's runs have; older runs saved those of all environments.

    Args:
        path: where they come from, for the message.
        values: the saved options.
        own: the names of the options that such a run has.

    Raises:
        ConfigError: there are unknown ones.
    """
    kept = without_others(values, own)
    if kept.keys() <= set(own):
        return kept
    if surplus := sorted(kept.keys() - {*own, *_defaults_of_others(own)}):
        raise ConfigError(f"{path}: expected the options of a run, got {surplus[:3]}")
    return kept


def without_others(values: Mapping[str, Any], own: tuple[str, ...]) -> dict[str, Any]:
    """Leave out options that an environment's runs do not have and that other environments have by default."""
    if values.keys() <= set(own):
        return dict(values)
    defaults = _defaults_of_others(own)
    return {name: value for name, value in values.items() if name in own or defaults.get(name, ...) != value}


@cache
def _defaults_of_others(own: tuple[str, ...]) -> dict[str, Any]:
    """Return the options that other environments have, with their defaults."""
    fields = [field for family in FAMILIES.values() for field in dataclasses.fields(family.options)]
    return {field.name: field.default for field in fields if field.name not in own}
