"""Environments: the protocol that the trainer speaks, the games, and adapters to other libraries."""

from pyqmix.envs.protocol import Env, Point, Step
from pyqmix.envs.registry import ENV_NAMES, EnvOptions, create_env, make_env
from pyqmix.envs.vector import SyncVectorEnv

__all__ = ["ENV_NAMES", "Env", "EnvOptions", "Point", "Step", "SyncVectorEnv", "create_env", "make_env"]
