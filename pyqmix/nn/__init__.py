"""Agent networks and mixers."""

from pyqmix.nn.agents import Agent, GRUAgent, MLPAgent
from pyqmix.nn.mixers import IQLMixer, Mixer, MonotoneMixer, QMixer, VDNMixer
from pyqmix.nn.registry import AGENTS, MIXERS, make_agent, make_mixer, register_agent, register_mixer
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
