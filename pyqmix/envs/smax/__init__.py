"""SMAX, native: micromanagement battles like StarCraft's."""

from pyqmix.envs.smax.env import DEFAULT_TASK, FAMILY, MAPS, SmaxEnv, SmaxOptions

__all__ = ["DEFAULT_TASK", "FAMILY", "MAPS", "SmaxEnv", "SmaxOptions"]
