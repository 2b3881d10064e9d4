"""Kinds of environments: what ``--env NAME`` stands for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyqmix.base.options import option_names
from pyqmix.envs.options import EnvOptions
from pyqmix.envs.protocol import Env


@dataclass(frozen=True)
class EnvFamily:
    """Environments of one kind.

    Attributes:
        name: of ``--env``.
        options: the class of their options.
        make: builds one of them from its options.
        preset: the preset that ``--env`` takes by itself; None: the algorithm's own defaults.
        explores_fully: training explores with ε = 1 throughout unless told otherwise.
    """

    name: str
    options: type[EnvOptions]
    make: Callable[[Any], Env]
    preset: str | None = None
    explores_fully: bool = False

    @property
    def option_names(self) -> tuple[str, ...]:
        """The names of their options."""
        return option_names(self.options)
