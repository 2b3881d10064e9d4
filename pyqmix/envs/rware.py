"""Robotic warehouse (RWARE, arXiv:2006.07869), the original package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyqmix.base.errors import ConfigError, unknown
from pyqmix.envs.family import EnvFamily
from pyqmix.envs.gymnasium_env import GymnasiumEnv, make_registered
from pyqmix.envs.importing import import_optional
from pyqmix.envs.options import AdapterOptions

DEFAULT_TASK = "rware-tiny-2ag-v2"
_ENUMS = {"reward_type": "RewardType", "observation_type": "ObservationType"}


@dataclass(frozen=True)
class RwareOptions(AdapterOptions):
    """Options of ``--env rware``."""


class RwareEnv(GymnasiumEnv):
    """A warehouse. See :class:`pyqmix.envs.gymnasium_env.GymnasiumEnv`.

    Its step limit is ``max_steps``, at which it reports termination.
    """

    action_names = ("noop", "forward", "left", "right", "toggle load")

    def render(self) -> object:
        """Return the warehouse's picture where its render_mode is rgb_array, None otherwise."""
        world: Any = self.env.unwrapped  # whose render wants the mode again
        return world.render(mode="rgb_array") if world.render_mode == "rgb_array" else None


def make_rware_env(options: AdapterOptions) -> RwareEnv:
    """Build a task of the rware package, such as ``rware-tiny-2ag-v2``.

    ``env_args`` are those of its ``Warehouse``; "reward_type" and "observation_type" are names, such as "GLOBAL".

    Raises:
        ConfigError: rware is not installed, or has no such task or argument.
    """
    package = import_optional("rware", "task: the rware tasks", "'pyqmix-marl[rware]'")
    task, arguments = options.task or DEFAULT_TASK, options.arguments
    if not task.startswith("rware"):
        raise ConfigError(f"task: expected a task of rware, such as rware-tiny-2ag-v2, got {task!r}")
    if task.startswith("rware-img"):
        package.image_registration()
    for name, enum in _ENUMS.items():
        if name in arguments:
            kinds = {kind.name: kind for kind in getattr(package.warehouse, enum)}
            if arguments[name] not in kinds:
                raise unknown(f"env_args: {name}", arguments[name], kinds)
            arguments[name] = kinds[arguments[name]]
    return RwareEnv(make_registered(task, arguments), name=task, **options.rules)


FAMILY = EnvFamily(
    "rware",
    RwareOptions,
    make_rware_env,
    default_task=DEFAULT_TASK,
    safe_tasks=r"rware-[\w-]+",  # ids of gymnasium's registry
)
