"""The replay buffer of whole episodes.

Threading contract: any number of writers (8,192 at a time) and up to 16 samplers may use one ring from
different threads at once; one writer or sampler is used from one thread at a time. A writer has one open
episode, a sampler one batch that it is copying. Nobody waits for anybody: a claim or a sample that finds
too much in use raises RingBusyError. Only published episodes are ever sampled, and none is overwritten
while it is copied.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyqmix import _C
from pyqmix.spec import EpisodeSpec

MiB = 1 << 20


class RingBusyError(RuntimeError):
    """No slot, or not enough episodes, could be had just now because others are using them."""


@dataclass(frozen=True)
class EpisodeBatch:
    """B episodes, padded with zeros to the longest of them, T steps.

    Attributes:
        obs: (B, T+1, n, O) float32; index t+1 holds o' of step t.
        avail: (B, T+1, n, A) bool, the available actions.
        states: (B, T+1, S) float32.
        actions: (B, T, n) int64.
        rewards: (B, T) float32, the team's.
        terminated: (B, T) bool; a truncated episode ends without it.
        lengths: (B,) int64, the steps of each episode.
    """

    obs: Tensor
    avail: Tensor
    states: Tensor
    actions: Tensor
    rewards: Tensor
    terminated: Tensor
    lengths: Tensor

    @property
    def mask(self) -> Tensor:
        """(B, T) bool: True for real steps, False for padding."""
        steps = torch.arange(self.actions.shape[1], device=self.lengths.device)
        return steps < self.lengths.unsqueeze(1)

    def to(self, device: torch.device) -> EpisodeBatch:
        """Move every tensor to a device."""
        return EpisodeBatch(**{name: value.to(device) for name, value in vars(self).items()})


class EpisodeRing:
    """A ring of ``capacity`` slots, each of one whole episode; a full ring overwrites the oldest.

    Args:
        spec: what the episodes look like.
        capacity: slots. Open episodes and the batches being copied occupy slots too.

    Raises:
        ValueError: capacity is not a positive integer.
        MemoryError: the slots do not fit in the memory that is free; the arithmetic is in the message.
    """

    def __init__(self, spec: EpisodeSpec, capacity: int) -> None:
        if isinstance(capacity, bool) or not isinstance(capacity, int) or capacity < 1:
            raise ValueError(f"capacity: expected a positive integer, got {capacity!r}")
        self.spec, self.capacity = spec, capacity
        self.nbytes = ring_bytes(spec, capacity)
        free = _free_memory()
        if self.nbytes > free:
            raise MemoryError(describe_memory(spec, capacity) + f", but {free / MiB:,.1f} MiB are free")
        self.native = _C.EpisodeRing(_native_spec(spec), capacity)

    def __len__(self) -> int:
        """Return the number of published episodes that the ring holds."""
        stats = self.native.stats()
        return stats["published"] - stats["overwritten"]

    def stats(self) -> dict[str, int]:
        """Count since the start: published, overwritten and aborted episodes, and busy claims."""
        return self.native.stats()

    def writer(self) -> EpisodeWriter:
        """Register a writer."""
        return EpisodeWriter(self.spec, self.native)

    def sampler(self, seed: int) -> EpisodeSampler:
        """Register a sampler; the batches depend on the seed and on what the ring holds, nothing else."""
        return EpisodeSampler(self, self.native, seed)


class EpisodeWriter:
    """Writes one episode at a time straight into a slot of the ring; made by :meth:`EpisodeRing.writer`."""

    def __init__(self, spec: EpisodeSpec, ring: _C.EpisodeRing) -> None:
        self._spec = spec
        self._writer = _C.EpisodeWriter(ring)

    @contextmanager
    def episode(self) -> Iterator[EpisodeSlot]:
        """Open an episode; leaving normally publishes it, an exception aborts it.

        Raises:
            RingBusyError: no slot is free.
            ValueError: on leaving, the episode has no step.
            RuntimeError: this writer has an open episode already.
        """
        slot = self.open()
        try:
            yield slot
        except BaseException:
            slot.abort()
            raise
        slot.publish()

    def open(self) -> EpisodeSlot:
        """Open an episode that the caller publishes or aborts; where one function sees it end, use episode().

        Raises:
            RingBusyError: no slot is free.
            RuntimeError: this writer has an open episode already.
        """
        if not self._writer.open():
            raise RingBusyError("no slot of the ring is free: raise its capacity")
        return EpisodeSlot(self._spec, self._writer)


class EpisodeSlot:
    """An open episode."""

    def __init__(self, spec: EpisodeSpec, writer: _C.EpisodeWriter) -> None:
        self._spec = spec
        self._writer: _C.EpisodeWriter | None = writer

    def begin(self, obs: NDArray[np.float32], avail: NDArray[np.bool_], state: NDArray[np.float32] | None) -> None:
        """Write the first observation.

        Args:
            obs: (n, O) float32.
            avail: (n, A) bool.
            state: (S,) float32; None where the spec says that it is the concatenated observations.

        Raises:
            ValueError: a dtype or shape does not fit, or the storage dtype cannot hold a value exactly.
            RuntimeError: the episode has begun or ended already.
        """
        self._open().begin(obs, avail, state)

    def append(
        self,
        actions: NDArray[np.int64],
        reward: float,
        terminated: bool,
        obs: NDArray[np.float32],
        avail: NDArray[np.bool_],
        state: NDArray[np.float32] | None,
    ) -> None:
        """Write one step: what was done at the last observation, and the observation that followed.

        Args:
            actions: (n,) int64.
            reward: the team's.
            terminated: the environment ended by itself.
            obs: (n, O) float32, the observation after the step.
            avail: (n, A) bool, likewise.
            state: (S,) float32, likewise, or None as in :meth:`begin`.

        Raises:
            ValueError: as for begin; or an action is out of range, or the slot is full.
            RuntimeError: the episode has not begun, or has ended.
        """
        self._open().append(actions, reward, terminated, obs, avail, state)

    def publish(self) -> None:
        """Make the episode visible to samplers; the slot cannot be used afterwards.

        Raises:
            ValueError: the episode has no step; it is aborted.
        """
        writer = self._open()
        if writer.steps == 0:
            self.abort()
            raise ValueError("an episode without a step cannot be published")
        writer.publish()
        self._writer = None

    def abort(self) -> None:
        """Give the slot back unseen; does nothing if the episode has ended already."""
        if self._writer is not None:
            self._writer.abort()
            self._writer = None

    def _open(self) -> _C.EpisodeWriter:
        if self._writer is None:
            raise RuntimeError("this episode has ended: its slot belongs to the ring again")
        return self._writer


class EpisodeSampler:
    """Draws batches of whole episodes; made by :meth:`EpisodeRing.sampler`."""

    def __init__(self, ring: EpisodeRing, native: _C.EpisodeRing, seed: int) -> None:
        self._ring = ring
        self._sampler = _C.EpisodeSampler(native, seed)

    def sample(self, batch_size: int) -> EpisodeBatch:
        """Copy ``batch_size`` episodes, uniform over the published ones, without replacement.

        Raises:
            ValueError: batch_size is not positive, or exceeds the published episodes.
            RingBusyError: writers held too many slots just now.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size: expected a positive integer, got {batch_size!r}")
        try:
            lengths = self._sampler.pin(batch_size)
            if len(lengths) == batch_size:
                return self._decode(lengths)
        finally:
            self._sampler.release()
        held = len(self._ring)
        if held < batch_size:
            raise ValueError(f"batch_size: the ring holds {held} episodes, {batch_size} were asked for")
        raise RingBusyError(f"{len(lengths)} of {batch_size} episodes could be had: writers hold the rest")

    def _decode(self, lengths: NDArray[np.int64]) -> EpisodeBatch:
        spec = self._ring.spec
        batch, steps = len(lengths), int(lengths.max())
        obs = torch.empty(batch, steps + 1, spec.n_agents, spec.obs_dim)
        avail = torch.empty(batch, steps + 1, spec.n_agents, spec.n_actions, dtype=torch.bool)
        states = obs.flatten(2) if spec.concat_state else torch.empty(batch, steps + 1, spec.state_dim)
        actions = torch.empty(batch, steps, spec.n_agents, dtype=torch.int64)
        rewards = torch.empty(batch, steps)
        terminated = torch.empty(batch, steps, dtype=torch.bool)
        self._sampler.decode(
            obs.numpy(),
            avail.numpy(),
            None if spec.concat_state else states.numpy(),
            actions.numpy(),
            rewards.numpy(),
            terminated.numpy(),
        )
        return EpisodeBatch(obs, avail, states, actions, rewards, terminated, torch.from_numpy(lengths))


def ring_bytes(spec: EpisodeSpec, capacity: int) -> int:
    """Return the bytes that a ring's slots take, before it is made."""
    return _C.slot_bytes(_native_spec(spec)) * capacity


def describe_memory(spec: EpisodeSpec, capacity: int) -> str:
    """Write a ring's size with its arithmetic."""
    slot = ring_bytes(spec, 1)
    return (
        f"replay buffer: {capacity:,} episodes x {slot:,} bytes = {capacity * slot / MiB:,.1f} MiB "
        f"({spec.episode_limit} steps, {spec.n_agents} agents, observations of {spec.obs_dim} {spec.obs_storage})"
    )


def _native_spec(spec: EpisodeSpec) -> _C.EpisodeSpec:
    return _C.EpisodeSpec(
        n_agents=spec.n_agents,
        n_actions=spec.n_actions,
        obs_dim=spec.obs_dim,
        state_dim=0 if spec.concat_state else spec.state_dim,
        episode_limit=spec.episode_limit,
        obs_storage=spec.obs_storage,
        state_storage=spec.state_storage,
    )


def _free_memory() -> int:
    """Return what the machine, and the control group that this process is in, leave free, in bytes."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return min(int(line.split()[1]) * 1024, _free_in_group(Path("/sys/fs/cgroup")))
    raise MemoryError("/proc/meminfo does not tell how much memory is free")


def _free_in_group(group: Path) -> int:
    try:
        limit, used = ((group / name).read_text().strip() for name in ("memory.max", "memory.current"))
        return max(0, int(limit) - int(used))
    except (OSError, ValueError):  # no such group, or "max": no limit
        return sys.maxsize
