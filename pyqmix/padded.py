"""Lays a padded batch of episodes out with its padding, so that no shape depends on an episode's length.

Rows are time-major as those of :mod:`pyqmix.packing`, and an episode has a row at every time. What is no step of
an episode's reads zeros, ends by itself, and is not ``real``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pyqmix.batch import EpisodeBatch
from pyqmix.packing import PackedEpisodes


def pack_padded(batch: EpisodeBatch) -> PackedEpisodes:
    """Lay a batch of B episodes padded to T steps out as B·T steps; waits for no device."""
    episodes, points = batch.obs.shape[:2]
    device = batch.lengths.device
    time = torch.arange(points, device=device).unsqueeze(1)
    is_point, is_step = time <= batch.lengths, time[:-1] < batch.lengths  # (T+1, B), (T, B)
    real = is_step.flatten()
    places = torch.arange(episodes, device=device)
    return PackedEpisodes(
        obs=_rows(batch.obs, is_point),
        states=_rows(batch.states, is_point),
        point_counts=torch.full((points,), episodes),
        now=torch.arange(len(real), device=device),
        next_avail=_rows(batch.avail[:, 1:], is_step),
        actions=_rows(batch.actions, is_step),
        rewards=_rows(batch.rewards, is_step),
        terminated=_rows(batch.terminated, is_step) | ~real,
        episodes=places.expand(points - 1, -1).flatten(),
        times=time[:-1].expand(-1, episodes).flatten(),
        real=real,
    )


def _rows(values: Tensor, kept: Tensor) -> Tensor:
    """Bring values (B, K, ...) to (K·B, ...), zero where not ``kept`` (K, B): padding may hold anything."""
    rows = values.transpose(0, 1)
    rows = rows.masked_fill(~kept.view(*kept.shape, *[1] * (rows.dim() - 2)), 0)
    return rows.flatten(0, 1)
