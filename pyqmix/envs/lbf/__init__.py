"""Level-Based Foraging, native."""

from pyqmix.envs.lbf.env import DEFAULT_TASK, LbfEnv
from pyqmix.envs.lbf.foraging import ForagingEnv

__all__ = ["DEFAULT_TASK", "ForagingEnv", "LbfEnv"]
