"""Padded episodes laid out with their padding, zeros whatever it held; on a GPU in one launch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pyqmix import _C
from pyqmix.ops import reference
from pyqmix.ops.checks import check_tensor, readable, require_cuda_kernels
from pyqmix.ops.eager import can_copy, can_launch

_MOST = 7  # tensors of a launch


@dataclass(frozen=True)
class PaddedRows:
    """What :func:`pad_episodes` returns: rows of each time in turn, at every time one for each of B episodes.

    Attributes:
        points: each ((T+1)*B, ...).
        next_points: each (T*B, ...), of the points from the second of an episode on.
        steps: each (T*B, ...).
        real: (T*B,) bool, which rows are steps of an episode's.
    """

    points: list[Tensor]
    next_points: list[Tensor]
    steps: list[Tensor]
    real: Tensor


def pad_episodes(
    lengths: Tensor, points: Sequence[Tensor], next_points: Sequence[Tensor], steps: Sequence[Tensor]
) -> PaddedRows:
    """Lay padded episodes out time-major, with zeros where an episode has no point or step.

    Nothing is waited for: on a GPU the lengths are not looked at before.

    Args:
        lengths: (B,) int64, each from 1 to T.
        points: tensors (B, T+1, ...) of any dtype; an episode of L steps has L + 1 points.
        next_points: more of them, of which an episode's first point is left out.
        steps: tensors (B, T, ...).

    Raises:
        TypeError: lengths are not int64.
        ValueError: a shape or device does not fit, there is no tensor of steps, or there are more than 7 tensors.
    """
    if len(steps) < 1 or len(points) + len(next_points) + len(steps) > _MOST:
        counts = f"{len(points)}, {len(next_points)} and {len(steps)}"
        raise ValueError(
            f"points, next_points, steps: expected at most {_MOST} tensors, one of steps, got {counts}"
        )
    check_tensor("lengths", lengths, lengths.shape[:1], torch.int64, lengths.device)
    episodes, times = len(lengths), steps[0].shape[1]
    for name, tensors, width in (("points", points, 1), ("next_points", next_points, 1), ("steps", steps, 0)):
        for x in tensors:
            check_tensor(name, x, (episodes, times + width, *x.shape[2:]), x.dtype, lengths.device)
    if lengths.is_cuda and can_launch(lengths) and can_copy(*points, *next_points, *steps):
        return _pad_on_gpu(lengths, points, next_points, steps)
    return PaddedRows(*reference.pad_episodes(lengths, points, next_points, steps))


def _pad_on_gpu(
    lengths: Tensor, points: Sequence[Tensor], next_points: Sequence[Tensor], steps: Sequence[Tensor]
) -> PaddedRows:
    require_cuda_kernels()
    episodes, times = len(lengths), steps[0].shape[1]
    columns: list[_C.PaddedColumn] = []

    def rows(tensors: Sequence[Tensor], count: int, first: int, reach: int) -> list[Tensor]:
        out = []
        for tensor in tensors:
            source = tensor if tensor[:1].is_contiguous() and not tensor.is_neg() else readable(tensor)
            out.append(
                torch.empty((count * episodes, *tensor.shape[2:]), dtype=tensor.dtype, device=tensor.device)
            )
            columns.append((source, out[-1], count, first, reach))
        return out

    of_points, of_next, of_steps = (
        rows(points, times + 1, 0, 1),
        rows(next_points, times, 1, 0),
        rows(steps, times, 0, 0),
    )
    real = torch.empty(times * episodes, dtype=torch.bool, device=lengths.device)
    columns.append((None, real, times, 0, 0))
    with torch.cuda.device(lengths.device):
        stream = torch.cuda.current_stream().cuda_stream
        _C.pad_episodes_cuda(lengths.contiguous(), times + 1, columns, stream)
    return PaddedRows(of_points, of_next, of_steps, real)
