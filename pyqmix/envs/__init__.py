"""Environments: the protocol that the trainer speaks, native ones, and adapters to other libraries."""

from pyqmix.envs.lbf.env import LbfEnv
from pyqmix.envs.lbf.foraging import ForagingEnv
from pyqmix.envs.protocol import Env, Point, Step
from pyqmix.envs.registry import ENV_NAMES, EnvOptions, create_env, has_option, make_env
from pyqmix.envs.vector import EpisodeVectorEnv, LbfVectorEnv, SyncVectorEnv

__all__ = [
    "ENV_NAMES",
    "Env",
    "EnvOptions",
    "EpisodeVectorEnv",
    "ForagingEnv",
    "LbfEnv",
    "LbfVectorEnv",
    "Point",
    "Step",
    "SyncVectorEnv",
    "create_env",
    "has_option",
    "make_env",
]
