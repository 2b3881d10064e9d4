"""Refuses networks that do not fit in the memory that is free, before any of it is allocated.

Linux gives memory out when it is first written, and ends a process that writes more than there is. So a network
beyond memory would end a run without a word.
"""

from __future__ import annotations

import torch

from pyqmix.base.free_memory import MiB, free_memory
from pyqmix.base.spec import EpisodeSpec
from pyqmix.config import Config
from pyqmix.config.networks import network_spec
from pyqmix.nn import AGENTS, MIXERS, make_agent, make_mixer
from pyqmix.nn.drawing import is_own_factory

_SMALL = 512  # the widths of networks that need no check, which would take seconds for some
_COPIES = 6  # weights, gradient and two moments; the target network's weights and gradient


def require_network_memory(config: Config, spec: EpisodeSpec) -> None:
    """Refuse wide networks of pyqmix's own whose training does not fit in memory; a GPU tells by itself.

    Raises:
        MemoryError: the arithmetic is in the message.
    """
    factories = AGENTS[config.agent], MIXERS[config.mixer]
    ours = all(map(is_own_factory, factories))
    widest = max(config.hidden_dim, config.embed_dim, config.hypernet_dim)
    if not ours or widest <= _SMALL or config.device == "cuda":
        return
    count = _count_parameters(config, spec)
    needed, free = count * _COPIES * torch.float32.itemsize, free_memory()
    if needed > free.size:
        raise MemoryError(
            f"networks: {count:,} parameters x {_COPIES} copies (weights, gradient, two moments, target and its "
            f"gradient) x 4 bytes = {needed / MiB:,.1f} MiB, but {free}; lower hidden_dim, embed_dim or "
            "hypernet_dim"
        )


def _count_parameters(config: Config, spec: EpisodeSpec) -> int:
    """Count the parameters of agent network and mixer without memory and random numbers."""
    sizes = network_spec(spec, config)
    with torch.device("meta"):  # where nothing is drawn
        return sum(p.numel() for network in (make_agent(sizes), make_mixer(sizes)) for p in network.parameters())
