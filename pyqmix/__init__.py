"""pyqmix: a compiled, high-performance trainer for QMIX.

``pyqmix.train(config)`` trains; ``pyqmix.ops`` and ``pyqmix.nn`` are its parts for other trainers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyqmix import _loading

_loading.require_own_folder()
_loading.require_compiled_module()

from pyqmix._C import __version__  # noqa: E402

if TYPE_CHECKING:
    from pyqmix import envs, nn, ops
    from pyqmix.base.build import build_info
    from pyqmix.base.errors import ConfigError, EnvError
    from pyqmix.base.network_spec import NetworkSpec
    from pyqmix.config import Config, from_preset
    from pyqmix.envs import make_env, register_env
    from pyqmix.loggers import register_logger
    from pyqmix.nn import register_agent, register_mixer
    from pyqmix.replay import EpisodeRing
    from pyqmix.run.policy import Policy, load_policy
    from pyqmix.run.trainer import Result, train

__all__ = [
    "Config",
    "ConfigError",
    "EnvError",
    "EpisodeRing",
    "NetworkSpec",
    "Policy",
    "Result",
    "__version__",
    "build_info",
    "envs",
    "from_preset",
    "load_policy",
    "make_env",
    "nn",
    "ops",
    "register_agent",
    "register_env",
    "register_logger",
    "register_mixer",
    "train",
]

# Imported when first used, because torch takes seconds and the commands must answer signals from their start on.
if not TYPE_CHECKING:  # where any name would count as one of the package's
    __getattr__, __dir__ = _loading.lazy(
        __name__,
        {
            "base": (),
            "base.build": ("build_info",),
            "base.errors": ("ConfigError", "EnvError"),
            "base.network_spec": ("NetworkSpec",),
            "config": ("Config", "from_preset"),
            "envs": ("make_env", "register_env"),
            "export": (),
            "figures": (),
            "learn": (),
            "loggers": ("register_logger",),
            "nn": ("register_agent", "register_mixer"),
            "ops": (),
            "play": (),
            "replay": ("EpisodeRing",),
            "run": (),
            "run.policy": ("Policy", "load_policy"),
            "run.trainer": ("Result", "train"),
        },
    )
