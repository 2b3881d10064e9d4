"""Agent networks and mixers."""

from pyqmix.nn.agents import GRUAgent, MLPAgent, make_agent
from pyqmix.nn.mixers import IQLMixer, Mixer, QMixer, VDNMixer, make_mixer

__all__ = ["GRUAgent", "IQLMixer", "MLPAgent", "Mixer", "QMixer", "VDNMixer", "make_agent", "make_mixer"]
