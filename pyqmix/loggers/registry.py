"""Loggers by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from pyqmix.base.errors import ConfigError
from pyqmix.base.registry import Registry
from pyqmix.loggers.mlflow_run import MlflowRun
from pyqmix.loggers.protocol import LoggedRun, Logger
from pyqmix.loggers.trackio_run import TrackioRun
from pyqmix.loggers.wandb_run import WandbRun

Maker = Callable[[LoggedRun], Logger]


def _maker(name: str, given: Any) -> Maker:
    if not callable(given):
        raise ConfigError(f"loggers: expected {name} to be a class or a function, got {given!r}")
    return cast(Maker, given)


LOGGERS: Registry[Maker] = Registry(
    "loggers", "pyqmix.loggers", {"wandb": WandbRun, "mlflow": MlflowRun, "trackio": TrackioRun}, _maker
)


def register_logger(name: str, maker: Maker) -> None:
    """Let ``--loggers name`` and ``Config(loggers=[name])`` mean a logger of yours.

    An installed package does the same by an entry point of the group ``pyqmix.loggers``.

    Args:
        name: letters, digits, ``_``, ``-`` and ``.``.
        maker: a class or function that returns a :class:`Logger`. It is called with a :class:`LoggedRun`.

    Raises:
        ConfigError: the name is taken, or the maker cannot be called.
    """
    LOGGERS.register(name, _maker(name, maker))
