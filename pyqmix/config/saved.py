"""Reads the options that a run has saved."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pyqmix.base.errors import ConfigError
from pyqmix.base.files import read_json
from pyqmix.config.parts import REGISTRIES, Factory, refer, require_known
from pyqmix.envs import FAMILIES

LARGEST = 1 << 24  # bytes of a config.json, whose payoffs may be many


def read_options(path: Path, parts: Mapping[str, Factory | None]) -> dict[str, Any]:
    """Return the options in a run's config.json.

    Args:
        path: the file.
        parts: classes or functions in place of the names that it has, by option.

    Raises:
        ConfigError: the file is absent or is not a JSON object, or an environment or a network in it is unknown
            here.
    """
    values = read_object(path)
    names = refer(parts)
    if "env" in names and names["env"] != values.get("env"):
        values["task"] = None
    values.update(names)
    for option in REGISTRIES:
        if isinstance(name := values.get(option), str):
            require_known(path.parent, option, name)
    return values


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a run's config.json, of which nothing is checked yet.

    Raises:
        ConfigError: the file is absent, or is not such a file.
    """
    values = read_json(path, LARGEST, "the options of a run")
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected the options of a run, got {type(values).__name__}")
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
    defaults = _defaults_of_others(own)
    kept = {name: value for name, value in values.items() if name in own or defaults.get(name, ...) != value}
    if surplus := sorted(kept.keys() - {*own, *defaults}):
        raise ConfigError(f"{path}: expected the options of a run, got {surplus}")
    return kept


@cache
def _defaults_of_others(own: tuple[str, ...]) -> dict[str, Any]:
    """Return the options that other environments have, with their defaults."""
    fields = [field for family in FAMILIES.values() for field in dataclasses.fields(family.options)]
    return {field.name: field.default for field in fields if field.name not in own}
