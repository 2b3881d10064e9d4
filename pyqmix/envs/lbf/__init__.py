"""Level-Based Foraging, native."""

from pyqmix.envs.lbf.env import DEFAULT_TASK, FAMILY, LbfEnv, LbfOptions
from pyqmix.envs.lbf.foraging import ForagingEnv

__all__ = ["DEFAULT_TASK", "FAMILY", "ForagingEnv", "LbfEnv", "LbfOptions"]
