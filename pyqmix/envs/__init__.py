"""Environments: the protocol that the trainer speaks, native ones, and adapters to other libraries."""

from typing import TYPE_CHECKING

from pyqmix._loading import lazy
from pyqmix.base.spec import EpisodeSpec

if TYPE_CHECKING:
    from pyqmix.envs.adapting import adapt
    from pyqmix.envs.check import check_env
    from pyqmix.envs.family import EnvFamily
    from pyqmix.envs.gymnasium_env import GymnasiumOptions
    from pyqmix.envs.lbf import ForagingEnv, LbfEnv, LbfOptions
    from pyqmix.envs.make import make_env
    from pyqmix.envs.matrix import MatrixGame, MatrixOptions
    from pyqmix.envs.native import NativeEnv
    from pyqmix.envs.options import AdapterOptions, EnvOptions
    from pyqmix.envs.overcooked import OvercookedOptions
    from pyqmix.envs.pettingzoo_env import PettingZooOptions
    from pyqmix.envs.protocol import Env, Point, Step
    from pyqmix.envs.registry import FAMILIES, env_family, register_env, require_options
    from pyqmix.envs.rware import RwareOptions
    from pyqmix.envs.smac import SmacOptions
    from pyqmix.envs.smax import SmaxEnv, SmaxOptions
    from pyqmix.envs.two_step import TwoStep, TwoStepOptions
    from pyqmix.envs.vector import EpisodeVectorEnv, NativeVectorEnv, SyncVectorEnv

__all__ = [
    "FAMILIES",
    "AdapterOptions",
    "Env",
    "EnvFamily",
    "EnvOptions",
    "EpisodeSpec",
    "EpisodeVectorEnv",
    "ForagingEnv",
    "GymnasiumOptions",
    "LbfEnv",
    "LbfOptions",
    "MatrixGame",
    "MatrixOptions",
    "NativeEnv",
    "NativeVectorEnv",
    "OvercookedOptions",
    "PettingZooOptions",
    "Point",
    "RwareOptions",
    "SmacOptions",
    "SmaxEnv",
    "SmaxOptions",
    "Step",
    "SyncVectorEnv",
    "TwoStep",
    "TwoStepOptions",
    "adapt",
    "check_env",
    "env_family",
    "make_env",
    "register_env",
    "require_options",
]

if not TYPE_CHECKING:  # where any name would count as one of the package's
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "adapting": ("adapt",),
            "check": ("check_env",),
            "family": ("EnvFamily",),
            "gymnasium_env": ("GymnasiumOptions",),
            "lbf": ("ForagingEnv", "LbfEnv", "LbfOptions"),
            "make": ("make_env",),
            "matrix": ("MatrixGame", "MatrixOptions"),
            "native": ("NativeEnv",),
            "options": ("AdapterOptions", "EnvOptions"),
            "overcooked": ("OvercookedOptions",),
            "pettingzoo_env": ("PettingZooOptions",),
            "protocol": ("Env", "Point", "Step"),
            "registry": ("FAMILIES", "env_family", "register_env", "require_options"),
            "rware": ("RwareOptions",),
            "smac": ("SmacOptions",),
            "smax": ("SmaxEnv", "SmaxOptions"),
            "two_step": ("TwoStep", "TwoStepOptions"),
            "vector": ("EpisodeVectorEnv", "NativeVectorEnv", "SyncVectorEnv"),
        },
    )
