"""Environments by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyqmix.base.errors import ConfigError
from pyqmix.base.registry import Registry
from pyqmix.envs.family import EnvFamily


def _family(name: str, given: object) -> EnvFamily:
    if isinstance(given, EnvFamily):
        return given
    from pyqmix.envs.adapting import user_family

    return user_family(name, given)


# Each is imported when its name is first looked up, because other libraries take time to import.
FAMILIES: Registry[EnvFamily] = Registry(
    "env",
    "pyqmix.envs",
    {
        "lbf": "pyqmix.envs.lbf:FAMILY",
        "gymnasium": "pyqmix.envs.gymnasium_env:FAMILY",
        "pettingzoo": "pyqmix.envs.pettingzoo_env:FAMILY",
        "rware": "pyqmix.envs.rware:FAMILY",
        "smac": "pyqmix.envs.smac:FAMILY",
        "overcooked": "pyqmix.envs.overcooked:FAMILY",
        "vmas": "pyqmix.envs.vmas:FAMILY",
        "smax": "pyqmix.envs.smax:FAMILY",
        "two_step": "pyqmix.envs.two_step:FAMILY",
        "matrix": "pyqmix.envs.matrix:FAMILY",
    },
    _family,
)


def env_family(name: object) -> EnvFamily:
    """Return the family of a name.

    Raises:
        ConfigError: no family has this name.
    """
    return FAMILIES[name]  # type: ignore[index]


def register_env(name: str, make: Callable[..., Any] | EnvFamily) -> None:
    """Let ``--env name`` and ``Config(env=name)`` mean an environment of yours.

    An installed package does the same by an entry point of the group ``pyqmix.envs``, such as
    ``mine = "my_package:make"``.

    Args:
        name: letters, digits, ``_``, ``-`` and ``.``.
        make: a class or function that returns what :func:`pyqmix.envs.adapt` takes, called with the option
            ``env_args`` as keywords and with ``task`` if its signature names that; or an :class:`EnvFamily`, which
            has options of its own. Worker processes get it by value if they cannot import it.

    Raises:
        ConfigError: the name is taken, or ``make`` cannot be called.
    """
    FAMILIES.register(name, make)


def require_options(family: EnvFamily, given: dict[str, Any]) -> None:
    """Refuse options of other families. Options that no family has are left to the caller.

    Raises:
        ConfigError: a given option belongs to other families only; the message names the first one.
    """
    for name, value in given.items():
        if name not in family.option_names and any(name in other.option_names for other in FAMILIES.values()):
            raise ConfigError(f"{name}: {family.name} has no such option, got {value!r}")
