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
    kept: list[Tensor] = []  # alive until they have been read

    def columns(
        name: str, tensors: Sequence[Tensor], time: int, rows: int
    ) -> tuple[list[Tensor], list[tuple[int, int, int]]]:
        out, where = [], []
        for tensor in tensors:
            check_tensor(name, tensor, (episodes, time, *tensor.shape[2:]), tensor.dtype, lengths.device)
            kept.append(readable(tensor))
            out.append(torch.empty(rows, *tensor.shape[2:], dtype=tensor.dtype))
            width = tensor.shape[2:].numel() * tensor.element_size()
            where.append((kept[-1].data_ptr(), out[-1].data_ptr(), width))
        return out, where

    at_points, from_points = columns("points", points, padded + 1, n_steps + episodes)
    at_next, from_next = columns("next_points", next_points, padded + 1, n_steps)
    at_steps, from_steps = columns("steps", steps, padded, n_steps)
    counts = torch.empty(padded + 1, dtype=torch.int64)
    now, place, times = torch.empty(3, n_steps, dtype=torch.int64)
    rows = (counts.data_ptr(), now.data_ptr(), place.data_ptr(), times.data_ptr())
    _C.pack_episodes(of_episode, padded, rows, from_points, from_next, from_steps, torch.get_num_threads())
    return PackedRows(at_points, at_next, at_steps, counts, now, place, times)
