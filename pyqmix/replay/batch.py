"""Batches of whole episodes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyqmix.base.spec import EpisodeSpec


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

    @classmethod
    def empty(
        cls,
        spec: EpisodeSpec,
        batch_size: int,
        steps: int | None = None,
        pin_memory: bool = False,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> EpisodeBatch:
        """Allocate a batch without filling it, all in one piece of memory.

        Args:
            spec: what the episodes look like.
            batch_size: B.
            steps: T; the spec's episode limit without it, so that any batch fits.
            pin_memory: page-locked memory, from which copies to a GPU can overlap with other work.
            device: where; the CPU without it.
            dtype: of the floating-point tensors.
        """
        steps = spec.episode_limit if steps is None else steps
        parts, size = _layout(spec, batch_size, steps, dtype)
        memory = torch.empty(size, dtype=torch.uint8, pin_memory=pin_memory, device=device)
        tensors = {p.name: memory[p.offset : p.offset + p.size].view(p.dtype).view(p.shape) for p in parts}
        if spec.concat_state:
            tensors["states"] = tensors["obs"].flatten(2)
        return cls(**tensors)

    def own_tensors(self, spec: EpisodeSpec) -> dict[str, Tensor]:
        """Name the tensors, but for states that are only a view of the observations."""
        return {name: x for name, x in vars(self).items() if name != "states" or not spec.concat_state}

    def memory(self, spec: EpisodeSpec) -> Tensor | None:
        """Return all of a batch's memory (bytes,) uint8, of which one copy moves every tensor.

        None if it is not the whole of what :meth:`empty` allocated for B episodes with room for the episode limit.
        """
        storage = self.obs.untyped_storage()
        parts, size = _layout(spec, len(self.lengths), spec.episode_limit, self.rewards.dtype)
        if storage.nbytes() != size:
            return None
        for part in parts:
            tensor: Tensor = getattr(self, part.name)
            begin, stride = tensor.storage_offset() * part.dtype.itemsize, tensor.stride(0) * part.dtype.itemsize
            laid_out = begin == part.offset and stride * part.shape[0] == part.size and tensor.dtype == part.dtype
            if not laid_out or tensor.untyped_storage()._cdata != storage._cdata:  # the same memory, not as large
                return None
        return torch.empty(0, dtype=torch.uint8, device=self.obs.device).set_(storage)

    def fitted(self, spec: EpisodeSpec, batch_size: int, steps: int) -> EpisodeBatch:
        """Return the beginning of each tensor's memory as a smaller batch, contiguous like this one.

        Raises:
            ValueError: a tensor has another dtype, device, layout or spec, or too little room.
        """
        points = (batch_size, steps + 1)
        obs = _fit("obs", self.obs, torch.float32, (*points, spec.n_agents, spec.obs_dim))
        if spec.concat_state:
            states = obs.flatten(2)
        else:
            states = _fit("states", self.states, torch.float32, (*points, spec.state_dim))
        joint = (batch_size, steps, spec.n_agents)
        return EpisodeBatch(
            obs=obs,
            avail=_fit("avail", self.avail, torch.bool, (*points, spec.n_agents, spec.n_actions)),
            states=states,
            actions=_fit("actions", self.actions, torch.int64, joint),
            rewards=_fit("rewards", self.rewards, torch.float32, joint[:2]),
            terminated=_fit("terminated", self.terminated, torch.bool, joint[:2]),
            lengths=_fit("lengths", self.lengths, torch.int64, (batch_size,)),
        )

    def up_to(self, steps: int) -> EpisodeBatch:
        """Return a view of each episode's first ``steps`` steps and the points around them."""
        points, joint = slice(steps + 1), slice(steps)
        return EpisodeBatch(
            obs=self.obs[:, points],
            avail=self.avail[:, points],
            states=self.states[:, points],
            actions=self.actions[:, joint],
            rewards=self.rewards[:, joint],
            terminated=self.terminated[:, joint],
            lengths=self.lengths,
        )

    @property
    def mask(self) -> Tensor:
        """(B, T) bool: True for real steps, False for padding."""
        steps = torch.arange(self.actions.shape[1], device=self.lengths.device)
        return steps < self.lengths.unsqueeze(1)

    def to(self, device: torch.device) -> EpisodeBatch:
        """Move every tensor to a device; the copies are complete when this returns."""
        if self.obs.device == device:
            return self
        return EpisodeBatch(**{name: value.to(device) for name, value in vars(self).items()})


class _Part(NamedTuple):
    """One tensor of a batch, and where it begins in the batch's memory; sizes are in bytes."""

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    offset: int
    size: int


_ALIGNMENT = 64  # bytes


@lru_cache(maxsize=256)
def _layout(spec: EpisodeSpec, batch_size: int, steps: int, dtype: torch.dtype) -> tuple[tuple[_Part, ...], int]:
    """Lay out the tensors that have memory of their own; return with them the bytes of all."""
    points, joint = (batch_size, steps + 1), (batch_size, steps, spec.n_agents)
    kinds: dict[str, tuple[tuple[int, ...], torch.dtype]] = {
        "obs": ((*points, spec.n_agents, spec.obs_dim), dtype),
        "states": ((*points, spec.state_dim), dtype),
        "avail": ((*points, spec.n_agents, spec.n_actions), torch.bool),
        "actions": (joint, torch.int64),
        "rewards": (joint[:2], dtype),
        "terminated": (joint[:2], torch.bool),
        "lengths": (joint[:1], torch.int64),
    }
    if spec.concat_state:
        del kinds["states"]  # a view of the observations
    parts, offset = [], 0
    for name, (shape, kind) in kinds.items():
        size = torch.Size(shape).numel() * kind.itemsize
        parts.append(_Part(name, shape, kind, offset, size))
        offset += -(-size // _ALIGNMENT) * _ALIGNMENT
    return tuple(parts), offset


class BatchView:
    """A batch on the CPU, and its memory as the extension takes it."""

    def __init__(self, batch: EpisodeBatch) -> None:
        self.batch = batch
        self.lengths: NDArray[np.int64] = batch.lengths.numpy()
        self.arrays = (
            batch.obs.numpy(),
            batch.avail.numpy(),
            batch.states.numpy(),
            batch.actions.numpy(),
            batch.rewards.numpy(),
            batch.terminated.numpy(),
        )


def _fit(name: str, tensor: Tensor, dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor:
    count, strides = 1, [0] * len(shape)
    for axis in reversed(range(len(shape))):
        strides[axis] = count
        count *= shape[axis]
    if (
        tensor.dtype != dtype
        or tensor.device.type != "cpu"
        or not tensor.is_contiguous()
        or tensor.ndim != len(shape)
        or tensor.shape[2:] != shape[2:]
        or tensor.numel() < count
    ):
        raise ValueError(
            f"out.{name}: expected a contiguous {_short(dtype)} tensor on the CPU with room for {shape}, got "
            f"{tuple(tensor.shape)} {_short(tensor.dtype)} on {tensor.device}"
            + ("" if tensor.is_contiguous() else ", not contiguous")
        )
    return tensor.as_strided(shape, strides)


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
