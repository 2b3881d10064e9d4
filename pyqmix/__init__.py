"""pyqmix: a compiled, high-performance trainer for QMIX.

``pyqmix.train(config)`` trains; ``pyqmix.ops`` and ``pyqmix.nn`` are its parts for other trainers.
"""

from pyqmix import _loading

_loading.require_compiled_module()

from pyqmix import envs, nn, ops  # noqa: E402
from pyqmix._C import __version__  # noqa: E402
from pyqmix.base.build import build_info  # noqa: E402
from pyqmix.base.errors import ConfigError, EnvError  # noqa: E402
from pyqmix.base.network_spec import NetworkSpec  # noqa: E402
from pyqmix.config import Config, from_preset  # noqa: E402
from pyqmix.envs import make_env, register_env  # noqa: E402
from pyqmix.nn import register_agent, register_mixer  # noqa: E402
from pyqmix.replay import EpisodeRing  # noqa: E402
from pyqmix.run.policy import Policy, load_policy  # noqa: E402
from pyqmix.run.trainer import Result, train  # noqa: E402

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
