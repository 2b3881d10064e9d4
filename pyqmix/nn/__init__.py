"""Agent networks and mixers."""

from typing import TYPE_CHECKING

from pyqmix._loading import lazy

if TYPE_CHECKING:
    from pyqmix.nn.agent import Agent
    from pyqmix.nn.agents import GRUAgent, MLPAgent
    from pyqmix.nn.make import make_agent, make_mixer
    from pyqmix.nn.mixers import IQLMixer, Mixer, MonotoneMixer, VDNMixer
    from pyqmix.nn.qmixer import QMixer
    from pyqmix.nn.registry import AGENTS, MIXERS, register_agent, register_mixer
    from pyqmix.nn.user_agent import UserAgent
    from pyqmix.nn.user_mixer import UserMixer

__all__ = [
    "AGENTS",
    "MIXERS",
    "Agent",
    "GRUAgent",
    "IQLMixer",
    "MLPAgent",
    "Mixer",
    "MonotoneMixer",
    "QMixer",
    "UserAgent",
    "UserMixer",
    "VDNMixer",
    "make_agent",
    "make_mixer",
    "register_agent",
    "register_mixer",
]

if not TYPE_CHECKING:  # where any name would count as one of the package's
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "agent": ("Agent",),
            "agents": ("GRUAgent", "MLPAgent"),
            "make": ("make_agent", "make_mixer"),
            "mixers": ("IQLMixer", "Mixer", "MonotoneMixer", "VDNMixer"),
            "qmixer": ("QMixer",),
            "registry": ("AGENTS", "MIXERS", "register_agent", "register_mixer"),
            "user_agent": ("UserAgent",),
            "user_mixer": ("UserMixer",),
        },
    )
