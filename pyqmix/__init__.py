"""pyqmix: a compiled, high-performance trainer for QMIX.

``pyqmix.train(config)`` trains; ``pyqmix.ops`` and ``pyqmix.nn`` are its parts for other trainers.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pyqmix import _loading

_loading.require_compiled_module()

from pyqmix._C import __version__  # noqa: E402

if TYPE_CHECKING:
    from pyqmix import envs, nn, ops
    from pyqmix.base.build import build_info
    from pyqmix.base.errors import ConfigError, EnvError
    from pyqmix.base.network_spec import NetworkSpec
    from pyqmix.config import Config, from_preset
    from pyqmix.envs import make_env, register_env
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
    "register_mixer",
    "train",
]

# Imported when first used, because torch takes seconds and the commands must answer signals from their start on.
_HOMES = {
    "Config": "pyqmix.config",
    "ConfigError": "pyqmix.base.errors",
    "EnvError": "pyqmix.base.errors",
    "EpisodeRing": "pyqmix.replay",
    "NetworkSpec": "pyqmix.base.network_spec",
    "Policy": "pyqmix.run.policy",
    "Result": "pyqmix.run.trainer",
    "build_info": "pyqmix.base.build",
    "from_preset": "pyqmix.config",
    "load_policy": "pyqmix.run.policy",
    "make_env": "pyqmix.envs",
    "register_agent": "pyqmix.nn",
    "register_env": "pyqmix.envs",
    "register_mixer": "pyqmix.nn",
    "train": "pyqmix.run.trainer",
}
_PACKAGES = ("base", "config", "envs", "figures", "learn", "nn", "ops", "play", "replay", "run")


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f"pyqmix.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'pyqmix' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
