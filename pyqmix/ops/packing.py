"""Padded episodes laid out without their padding, in one call of the extension."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pyqmix import _C
from pyqmix.base.kernel_threads import kernel_threads
from pyqmix.ops import reference
from pyqmix.ops.checks import check_tensor, read_integers, readable
from pyqmix.ops.eager import can_copy


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
    Gradients flow through.

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
    of_episode = read_integers("lengths", lengths)
    if not of_episode or min(of_episode) < 1 or max(of_episode) > padded:
        raise ValueError(f"lengths: expected integers from 1 to {padded}, got {of_episode}")
    episodes, n_steps = len(of_episode), sum(of_episode)

    for name, tensors, width in (("points", points, 1), ("next_points", next_points, 1), ("steps", steps, 0)):
        for x in tensors:
            check_tensor(name, x, (episodes, padded + width, *x.shape[2:]), x.dtype, lengths.device)
    if not can_copy(*points, *next_points, *steps):
        return PackedRows(*reference.pack_episodes(of_episode, points, next_points, steps))

    def columns(tensors: Sequence[Tensor], rows: int) -> list[tuple[Tensor, Tensor]]:
        return [(readable(x), x.new_empty(rows, *x.shape[2:])) for x in tensors]

    of_points, of_next = columns(points, n_steps + episodes), columns(next_points, n_steps)
    of_steps = columns(steps, n_steps)
    counts = lengths.new_empty(padded + 1)
    now, place, times = lengths.new_empty(3, n_steps)
    rows = (counts, now, place, times)
    _C.pack_episodes(of_episode, padded, rows, of_points, of_next, of_steps, kernel_threads())
    at_points, at_next, at_steps = ([to for _, to in each] for each in (of_points, of_next, of_steps))
    return PackedRows(at_points, at_next, at_steps, *rows)
