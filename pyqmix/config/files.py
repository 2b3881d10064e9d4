"""Reads a file of options that a user names: YAML, JSON, or the config.json of a run."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyqmix.base.errors import ConfigError, near
from pyqmix.base.options import Kind, kinds_of, option_names
from pyqmix.base.sealed import read_object
from pyqmix.base.steps import STEPS_METAVAR
from pyqmix.base.yaml_files import read_options
from pyqmix.config.config import Config, config_class
from pyqmix.config.parts import REGISTRIES
from pyqmix.config.presets import PRESETS, require_preset
from pyqmix.config.saved import modernised, without_others
from pyqmix.config.trust import require_trusted_name, require_trusted_values
from pyqmix.envs import env_family, require_options


def read_config(path: Path, names: Mapping[str, str] | None = None, trust: bool = False) -> dict[str, Any]:
    """Return the options in a file, each of which is usable, and the name of a ``preset`` if the file has one.

    Files are passed on, so the rule of a run's folder holds: nothing is imported by a name in a file, unless that
    is trusted. A ``run_dir`` in a JSON file is left out, because it is the folder of another run.

    Args:
        path: the file; a name that ends in ``.json`` is JSON, any other YAML.
        names: the user's own environment, task, agent network and mixer, by option. They stand in place of the
            file's, and are trusted.
        trust: whether every name in the file may be imported.

    Raises:
        ConfigError: the file cannot be read, or has an option that is unknown, unusable or not trusted; the
            message names the file and the option.
    """
    names, real = dict(names or {}), os.path.realpath(path)  # a link that the user named may lead anywhere
    try:
        values = _read(path, Path(real))
        preset = values.pop("preset", None)
        if preset is not None:
            require_preset(preset)
        given = {**values, **names}
        given.setdefault("env", PRESETS[preset or "none"].get("env", Config.env))
        for option in REGISTRIES.keys() & given.keys():
            REGISTRIES[option].check(option, given[option])
            require_trusted_name(path, option, given[option], trust or frozenset(names.values()))
        family = env_family(given["env"])
        if path.suffix == ".json":
            values = without_others(modernised(values, family), option_names(config_class(family.name)))
        _require_known(values, given["env"])
        require_trusted_values(path, {**values, **names, "env": given["env"]}, trust or frozenset(names.values()))
        values = {name: _read_text(config_class(family.name), name, value) for name, value in values.items()}
    except ConfigError as error:
        where = re.match(rf"({re.escape(real)}|{re.escape(str(path))})(, line \d+)?: ", str(error))
        reason = str(error)[where.end() :] if where else error
        raise ConfigError(f"{path}{where[2] or '' if where else ''}: {reason}") from error
    return values if preset is None else {"preset": preset, **values}


def _read(path: Path, real: Path) -> dict[str, Any]:
    if path.suffix == ".json":
        return {name: value for name, value in read_object(real).items() if name != "run_dir"}
    return read_options(real, "options", "lr: 0.001")


def _require_known(values: Mapping[str, Any], env: str) -> None:
    known = option_names(config_class(env))
    if surplus := [name for name in values if name not in known]:
        require_options(env_family(env), {name: values[name] for name in surplus})
        raise ConfigError(f"unknown option {surplus[0]!r}{near(surplus[0], [*known, 'preset'])}")


def _read_text(options: type[Any], name: str, value: object) -> object:
    """Return a usable value of an option, whose numbers may be written as on the command line."""
    kind = kinds_of(options)[name]  # type: ignore[arg-type]
    if kind is None:
        if not isinstance(value, bool):
            raise ConfigError(f"{name}: expected true or false, got {value!r}")
        return value
    if isinstance(kind, Kind) and kind.metavar in ("INT", "FLOAT", STEPS_METAVAR):
        written = isinstance(value, str) or (isinstance(value, float) and kind.metavar != "FLOAT")
        value = kind.instance_from_str([str(value)]) if written else value
    kind.check(name, value)
    return value
