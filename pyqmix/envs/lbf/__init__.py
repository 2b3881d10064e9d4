"""Level-Based Foraging, native."""

from typing import TYPE_CHECKING

from pyqmix._loading import lazy
from pyqmix.envs.lbf.env import DEFAULT_TASK, FAMILY, LbfEnv, LbfOptions

if TYPE_CHECKING:
    from pyqmix.envs.lbf.foraging import ForagingEnv

__all__ = ["DEFAULT_TASK", "FAMILY", "ForagingEnv", "LbfEnv", "LbfOptions"]

if not TYPE_CHECKING:  # where any name would count as one of the package's
    __getattr__, __dir__ = lazy(__name__, {"foraging": ("ForagingEnv",)})
