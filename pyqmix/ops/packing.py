"""Padded episodes laid out without their padding, in one call of the extension."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pyqmix import _C
from pyqmix.ops.checks import check_tensor, readable


@dataclass(frozen=True)
class PackedRows:
    """What :func:`pack_episodes` returns; N steps and P points in time of B episodes.

    Attributes:
        points: each (P, ...).
        next_points: each (N, ...), of the points from the second of an episode on.
        steps: each (N, ...).
        point_counts: (T+1,) int64, the number of episodes that have a point at each time.
        now: (N,) int64, the point of each step.
        episodes: (N,) int64, the place of each step's episode in the batch.
        times: (N,) int64, each step's time in its episode.
    """

    points: list[Tensor]
    next_points: list[Tensor]
    steps: list[Tensor]
    point_counts: Tensor
    now: Tensor
    episodes: Tensor
    times: Tensor


def pack_episodes(
    lengths: Tensor, points: Sequence[Tensor], next_points: Sequence[Tensor], steps: Sequence[Tensor]
) -> PackedRows:
    """Lay padded episodes out without their padding: time-major, episodes in order of falling length; on the CPU.

    An episode of L steps has L + 1 points in time. Episodes of one length keep their order. Padding is not read.

    Args:
        lengths: (B,) int64, each from 1 to T.
        points: tensors (B, T+1, ...) of any dtype.
        next_points: more of them, of which an episode's first point is left out.
        steps: tensors (B, T, ...).

    Raises:
        TypeError: lengths are not int64.
        ValueError: a shape or device does not fit, or a length is not from 1 to T.
    """
    padded = steps[0].shape[1]
    check_tensor("lengths", lengths, lengths.shape[:1], torch.int64, torch.device("cpu"))
    of_episode = lengths.tolist()
    if not of_episode or min(of_episode) < 1 or max(of_episode) > padded:
        raise ValueError(f"lengths: expected integers from 1 to {padded}, got {of_episode}")
    episodes, n_steps = len(of_episode), sum(of_episode)

    def columns(name: str, tensors: Sequence[Tensor], time: int, rows: int) -> list[tuple[Tensor, Tensor]]:
        for tensor in tensors:
            check_tensor(name, tensor, (episodes, time, *tensor.shape[2:]), tensor.dtype, lengths.device)
        return [(readable(x), torch.empty(rows, *x.shape[2:], dtype=x.dtype)) for x in tensors]

    of_points = columns("points", points, padded + 1, n_steps + episodes)
    of_next = columns("next_points", next_points, padded + 1, n_steps)
    of_steps = columns("steps", steps, padded, n_steps)
    counts = torch.empty(padded + 1, dtype=torch.int64)
    now, place, times = torch.empty(3, n_steps, dtype=torch.int64)
    rows = (counts, now, place, times)
    _C.pack_episodes(of_episode, padded, rows, of_points, of_next, of_steps, torch.get_num_threads())
    at_points, at_next, at_steps = ([to for _, to in each] for each in (of_points, of_next, of_steps))
    return PackedRows(at_points, at_next, at_steps, *rows)
