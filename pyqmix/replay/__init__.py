"""The replay buffer of whole episodes: ring, slots, batches, and who samples them."""

from pyqmix.replay.batch import EpisodeBatch
from pyqmix.replay.memory import describe_memory, ring_bytes
from pyqmix.replay.prioritised import PrioritisedSampler
from pyqmix.replay.ring import EpisodeRing, RingFile, RingFileError
from pyqmix.replay.sampler import EpisodeSampler
from pyqmix.replay.slot import EpisodeSlot, EpisodeWriter, RingBusyError

__all__ = [
    "EpisodeBatch",
    "EpisodeRing",
    "EpisodeSampler",
    "EpisodeSlot",
    "EpisodeWriter",
    "PrioritisedSampler",
    "RingBusyError",
    "RingFile",
    "RingFileError",
    "describe_memory",
    "ring_bytes",
]
