"""Online and target networks."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import cast

import torch

from pyqmix.base.network_spec import NetworkSpec
from pyqmix.base.seeding import Stream, derive_seed
from pyqmix.nn import Agent, Mixer, make_agent, make_mixer
from pyqmix.nn.flat import FlatParameters


@dataclass
class Networks:
    """The networks that learn and the target networks, the parameters of each pair in one block.

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
        with torch.random.fork_rng(devices=[]):  # the caller's generator stays as it is
            torch.manual_seed(derive_seed(seed, Stream.PARAMETERS))
            agent, mixer = make_agent(spec), make_mixer(spec)
        agent, mixer = agent.to(device, dtype), mixer.to(device, dtype)
        target_agent = copy.deepcopy(agent).requires_grad_(False)
        target_mixer = copy.deepcopy(mixer).requires_grad_(False)
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
        """Move the target networks to the online ones, by ``tau`` of the way."""
        online, target = self.flat.block, self.target_flat.block
        with torch.no_grad():
            target.copy_(online) if tau == 1.0 else target.lerp_(online, tau)
