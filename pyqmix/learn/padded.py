"""Lays a padded batch of episodes out with its padding, so that no shape depends on an episode's length.

Rows are time-major as those of :mod:`pyqmix.learn.rows`, and an episode has a row at every time. Rows that are no
step of an episode read zeros, end by themselves, and are not ``real``.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from pyqmix import ops
from pyqmix.learn.rows import PackedEpisodes
from pyqmix.replay.batch import EpisodeBatch


def pack_padded(batch: EpisodeBatch) -> PackedEpisodes:
    """Lay a batch of B episodes padded to T steps out as B*T steps; waits for no device."""
    episodes, points = batch.obs.shape[:2]
    concat_state = batch.states.is_set_to(batch.obs.flatten(2))  # a view of the observations
    of_points = [batch.obs] if concat_state else [batch.obs, batch.states]
    steps = [batch.actions, batch.rewards, batch.terminated]
    rows = ops.pad_episodes(batch.lengths, of_points, [batch.avail], steps)
    actions, rewards, terminated = rows.steps
    now, places, times = _places(episodes, points - 1, batch.lengths.device)
    obs = rows.points[0]
    return PackedEpisodes(
        obs=obs,
        states=obs.flatten(1) if concat_state else rows.points[1],
        point_counts=torch.full((points,), episodes),
        now=now,
        next_avail=rows.next_points[0],
        actions=actions,
        rewards=rewards,
        terminated=terminated.ge(rows.real),  # what is not real ends
        episodes=places,
        times=times,
        real=rows.real,
    )


@cache  # a captured step reads them as long as the program lives
def _places(episodes: int, times: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    rows = torch.arange(episodes * times, device=device)
    return rows, rows % episodes, rows // episodes
