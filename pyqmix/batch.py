"""Batches of whole episodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyqmix.spec import EpisodeSpec


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
    ) -> EpisodeBatch:
        """Allocate a batch without filling it.

        Args:
            spec: what the episodes look like.
            batch_size: B.
            steps: T; the spec's episode limit without it, so that any batch fits.
            pin_memory: page-locked memory, from which copies to a GPU can overlap with other work.
            device: where; the CPU without it.
        """
        steps = spec.episode_limit if steps is None else steps

        def tensor(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.empty(batch_size, *shape, dtype=dtype, pin_memory=pin_memory, device=device)

        obs = tensor(steps + 1, spec.n_agents, spec.obs_dim)
        return cls(
            obs=obs,
            avail=tensor(steps + 1, spec.n_agents, spec.n_actions, dtype=torch.bool),
            states=obs.flatten(2) if spec.concat_state else tensor(steps + 1, spec.state_dim),
            actions=tensor(steps, spec.n_agents, dtype=torch.int64),
            rewards=tensor(steps),
            terminated=tensor(steps, dtype=torch.bool),
            lengths=tensor(dtype=torch.int64),
        )

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
