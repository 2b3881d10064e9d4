"""Agent networks and mixers."""

from pyqmix.nn.agents import AGENTS, GRUAgent, MLPAgent, make_agent
from pyqmix.nn.mixers import MIXERS, IQLMixer, Mixer, QMixer, VDNMixer, make_mixer

__all__ = [
    "AGENTS",
    "MIXERS",
    "GRUAgent",
    "IQLMixer",
    "MLPAgent",
    "Mixer",
    "QMixer",
    "VDNMixer",
    "make_agent",
    "make_mixer",
]
