"""Online and target networks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import torch
from torch import nn

from pyqmix.base.calling import blamed
from pyqmix.base.network_spec import NetworkSpec
from pyqmix.base.seeding import Stream, derive_seed
from pyqmix.nn import AGENTS, MIXERS, Agent, Mixer, make_agent, make_mixer
from pyqmix.nn.buffers import persistent_buffers
from pyqmix.nn.copying import copied
from pyqmix.nn.drawing import drawing, may_draw, seeded
from pyqmix.nn.flat import FlatParameters
from pyqmix.nn.make import is_built_in


@dataclass
class Networks:
    """The networks that learn and the target networks, the parameters of each pair in one block.

    A user's networks are in evaluation mode, except the online ones while they compute a training step: acting and
    targets use no dropout, and the running statistics of a batch normalisation.

    Attributes:
        spec: their sizes.
        agent, mixer: the online networks, whose parameters are ``flat``.
        target_agent, target_mixer: the target networks, whose parameters are ``target_flat``.
    """

    spec: NetworkSpec
    agent: Agent
    mixer: Mixer
    target_agent: Agent
    target_mixer: Mixer
    flat: FlatParameters
    target_flat: FlatParameters

    @classmethod
    def initial(cls, spec: NetworkSpec, seed: int, device: torch.device, dtype: torch.dtype) -> Networks:
        """Build the networks of a run's seed, targets equal to the online networks."""
        with drawing(derive_seed(seed, Stream.PARAMETERS), AGENTS[spec.agent], MIXERS[spec.mixer]):
            agent, mixer = make_agent(spec), make_mixer(spec)
        agent, mixer = agent.to(device, dtype), mixer.to(device, dtype)
        with blamed(f"agent {spec.agent}", "copy.deepcopy, which makes the target network,"):
            target_agent = copied(agent).requires_grad_(False)
        with blamed(f"mixer {spec.mixer}", "copy.deepcopy, which makes the target network,"):
            target_mixer = copied(mixer).requires_grad_(False)
        flat, target_flat = FlatParameters([agent, mixer]), FlatParameters([target_agent, target_mixer])
        return cls(spec, agent, cast(Mixer, mixer), target_agent, cast(Mixer, target_mixer), flat, target_flat)

    @property
    def device(self) -> torch.device:
        """Where they live."""
        return self.flat.block.device

    def is_finite(self) -> bool:
        """Whether every online weight is a finite number; waits for the device."""
        return bool(self.flat.block.isfinite().all())

    def update_targets(self, tau: float) -> None:
        """Move the target networks to the online ones, by ``tau`` of the way; buffers are copied."""
        online, target = self.flat.block, self.target_flat.block
        with torch.no_grad():
            target.copy_(online) if tau == 1.0 else target.lerp_(online, tau)
            for source, target_network in self._of_users:
                pairs = zip(persistent_buffers(source), persistent_buffers(target_network), strict=True)
                for buffer, of_target in pairs:
                    of_target.copy_(buffer)

    @contextmanager
    def learning(self, seed: int, update: int, rank: int = 0) -> Iterator[None]:
        """Let a user's online networks compute a training step: in training mode, with random numbers of its own.

        So their dropout neither depends on other draws of torch's generator nor changes them, as
        :func:`pyqmix.nn.drawing.seeded` says.

        Args:
            seed: the run's.
            update: the training steps before this one.
            rank: of the learner, as each has a dropout of its own.
        """
        online = [network for network, _ in self._of_users]
        if not online:
            yield
            return
        own = derive_seed(seed, Stream.PARAMETERS, 1 + update, rank)
        with seeded(own, self.device) if any(map(may_draw, online)) else nullcontext():
            for network in online:
                network.train()
            try:
                yield
            finally:
                for network in online:
                    network.eval()

    @cached_property
    def _of_users(self) -> list[tuple[nn.Module, nn.Module]]:
        """Return a user's online networks with their targets; pyqmix's own have neither modes nor buffers."""
        pairs = [(self.agent, self.target_agent), (self.mixer, self.target_mixer)]
        return [cast(tuple[nn.Module, nn.Module], pair) for pair in pairs if not is_built_in(pair[0])]
