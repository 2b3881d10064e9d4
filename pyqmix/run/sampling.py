"""Builds the sampler that a run's options name."""

from __future__ import annotations

import torch

from pyqmix.base.seeding import Stream, derive_seed
from pyqmix.base.spec import EpisodeSpec
from pyqmix.config import Config
from pyqmix.replay import EpisodeRing, EpisodeSampler
from pyqmix.replay.device_store import DeviceStore
from pyqmix.replay.prioritised import PrioritisedSampler


def make_sampler(
    config: Config, spec: EpisodeSpec, device: torch.device, ring: EpisodeRing, updates: int, rank: int = 0
) -> EpisodeSampler:
    """Build a sampler of a run's replay buffer.

    Args:
        config: the run's options; one learner's share of them, where it has several.
        spec: the sizes of the episodes.
        device: where the networks live.
        ring: the replay buffer.
        updates: training steps so far, which choose the random stream. A run that goes on without its replay
            buffer begins a new stream; one that goes on with it then loads the state of its old one.
        rank: of the learner, whose draws are its own.
    """
    seed = derive_seed(config.seed, Stream.REPLAY, updates, rank)
    store = DeviceStore(spec, config.buffer_size, device) if config.replay_device == "cuda" else None
    if config.prioritised:
        return PrioritisedSampler(ring, seed, config.per_alpha, store)
    return ring.sampler(seed, store)
