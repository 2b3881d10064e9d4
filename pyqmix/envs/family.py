"""Families of environments: each has one of the names that ``--env`` takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyqmix.base.options import option_names
from pyqmix.envs.last_action import LastActionEnv
from pyqmix.envs.options import EnvOptions
from pyqmix.envs.protocol import Env
from pyqmix.envs.worlds import Worlds

PLAIN = r"[\w +-]*"  # neither a dotted module, nor module:attribute, nor a path with folders


@dataclass(frozen=True)
class EnvFamily:
    """Environments of one kind.

    Attributes:
        name: the value of ``--env``.
        options: the class of their options.
        make: builds an environment from its options; of one that is stepped in Python, without the last actions,
            which :meth:`create` adds.
        preset: the preset of a run that names none; None: the algorithm's own defaults.
        native: their worlds are :class:`pyqmix.envs.NativeEnv`, whose episodes are played without Python.
        default_task: the task of a run that names none, where there is such a task.
        make_batch: builds a number of worlds that one simulator steps together, or returns None where the options
            do not allow it; environments of ``make`` are then stepped one after another, as without this function.
        explores_fully: training explores with ε = 1 throughout unless told otherwise.
        safe_tasks: matches the tasks whose names cannot make the environment import or open anything that no
            installed package brings: a saved run may name them without the user's trust.
    """

    name: str
    options: type[EnvOptions]
    make: Callable[[Any], Env]
    preset: str | None = None
    native: bool = False
    default_task: str | None = None
    explores_fully: bool = False
    safe_tasks: str = PLAIN
    make_batch: Callable[[Any, int], Worlds | None] | None = None

    def create(self, options: EnvOptions | None = None) -> Env:
        """Build one environment, for one team.

        Args:
            options: of the family's class; None: its defaults.

        Raises:
            ConfigError: the task or an option does not fit.
        """
        options = self.options() if options is None else options
        env = self.make(options)
        adds = not self.native and getattr(options, "last_action", False)
        return LastActionEnv(env) if adds else env

    @property
    def option_names(self) -> tuple[str, ...]:
        """The names of the family's options."""
        return option_names(self.options)
