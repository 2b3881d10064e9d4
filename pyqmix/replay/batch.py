"""Batches of whole episodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
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
        memory: (bytes,) uint8, of which one copy moves every tensor: the block that :meth:`empty` allocated for B
            episodes with room for the episode limit; None where the tensors are not the whole of such a block.
    """

    obs: Tensor
    avail: Tensor
    states: Tensor
    actions: Tensor
    rewards: Tensor
    terminated: Tensor
    lengths: Tensor
    memory: Tensor | None = field(default=None, init=False, repr=False)  # so that replace() leaves it out

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
            spec: the episodes' sizes.
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
        return cls(**tensors)._with_memory(memory if steps == spec.episode_limit else None)

    def _with_memory(self, memory: Tensor | None) -> EpisodeBatch:
        object.__setattr__(self, "memory", memory)
        return self

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors by their names."""
        return {f.name: getattr(self, f.name) for f in FIELDS}

    def own_tensors(self, spec: EpisodeSpec) -> dict[str, Tensor]:
        """Return the tensors by their names, but for states that are only a view of the observations."""
        return {f.name: getattr(self, f.name) for f in own_fields(spec)}

    def fitted(self, spec: EpisodeSpec, batch_size: int, steps: int) -> EpisodeBatch:
        """Return the beginning of each tensor's memory as a smaller batch, contiguous like this one.

        Raises:
            ValueError: a tensor has another dtype, device, layout or spec, or too little room.
        """
        tensors = {
            f.name: _fit(f.name, getattr(self, f.name), f.dtype or torch.float32, f.shape(spec, batch_size, steps))
            for f in own_fields(spec)
        }
        if spec.concat_state:
            tensors["states"] = tensors["obs"].flatten(2)
        whole = tensors["obs"].shape == self.obs.shape
        return EpisodeBatch(**tensors)._with_memory(self.memory if whole else None)

    def up_to(self, steps: int) -> EpisodeBatch:
        """Return a view of each episode's first ``steps`` steps and the points around them."""
        views = {f.name: f.up_to(getattr(self, f.name), steps) for f in FIELDS}
        return EpisodeBatch(**views)._with_memory(self.memory)

    @property
    def mask(self) -> Tensor:
        """(B, T) bool: True for real steps, False for padding."""
        steps = torch.arange(self.actions.shape[1], device=self.lengths.device)
        return steps < self.lengths.unsqueeze(1)

    def to(self, device: torch.device) -> EpisodeBatch:
        """Move every tensor to a device; the copies are complete when this returns."""
        if self.obs.device == device:
            return self
        return EpisodeBatch(**{name: value.to(device) for name, value in self.tensors().items()})


class Field(NamedTuple):
    """One tensor of a batch.

    Attributes:
        name: of the attribute.
        extra: an episode of T steps has T + extra rows; None: it has one value.
        width: the shape of a row.
        dtype: its own; None: the batch's floating-point dtype.
    """

    name: str
    extra: int | None
    width: Callable[[EpisodeSpec], tuple[int, ...]]
    dtype: torch.dtype | None

    def shape(self, spec: EpisodeSpec, batch_size: int, steps: int) -> tuple[int, ...]:
        """Return the shape in a batch of B episodes padded to T steps."""
        rows = () if self.extra is None else (steps + self.extra,)
        return batch_size, *rows, *self.width(spec)

    def up_to(self, tensor: Tensor, steps: int) -> Tensor:
        """Return a view of the rows of an episode's first ``steps`` steps."""
        return tensor if self.extra is None else tensor[:, : steps + self.extra]


FIELDS = (
    Field("obs", 1, lambda spec: (spec.n_agents, spec.obs_dim), None),
    Field("avail", 1, lambda spec: (spec.n_agents, spec.n_actions), torch.bool),
    Field("states", 1, lambda spec: (spec.state_dim,), None),
    Field("actions", 0, lambda spec: (spec.n_agents,), torch.int64),
    Field("rewards", 0, lambda spec: (), None),
    Field("terminated", 0, lambda spec: (), torch.bool),
    Field("lengths", None, lambda spec: (), torch.int64),
)


def own_fields(spec: EpisodeSpec) -> list[Field]:
    """Return the fields that have memory of their own: concatenated states are a view of the observations."""
    return [f for f in FIELDS if f.name != "states" or not spec.concat_state]


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
    parts, offset = [], 0
    for f in own_fields(spec):
        shape, kind = f.shape(spec, batch_size, steps), f.dtype or dtype
        size = torch.Size(shape).numel() * kind.itemsize
        parts.append(_Part(f.name, shape, kind, offset, size))
        offset += -(-size // _ALIGNMENT) * _ALIGNMENT
    return tuple(parts), offset


class BatchView:
    """A batch on the CPU, and its memory as the extension takes it."""

    def __init__(self, batch: EpisodeBatch) -> None:
        self.batch = batch
        self._up_to: dict[int, EpisodeBatch] = {batch.actions.shape[1]: batch}
        self.lengths: NDArray[np.int64] = batch.lengths.numpy()
        self.arrays = (
            batch.obs.numpy(),
            batch.avail.numpy(),
            batch.states.numpy(),
            batch.actions.numpy(),
            batch.rewards.numpy(),
            batch.terminated.numpy(),
        )

    def up_to(self, steps: int) -> EpisodeBatch:
        """Return :meth:`EpisodeBatch.up_to`, the same object at each call."""
        if steps not in self._up_to:
            self._up_to[steps] = self.batch.up_to(steps)
        return self._up_to[steps]


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
