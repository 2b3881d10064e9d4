"""Errors that kernels on a GPU report after their call has returned.

The target's kernel notes an agent without an available action in a cell of page-locked memory, which the host
reads without a copy and without waiting: when the target is next computed for such shapes, and in
:func:`raise_late_errors`. Until then the step's target is NaN, and with it a loss of which it is part. Torch's own
operations note theirs on the device, and only the latter function reads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from pyqmix import _C
from pyqmix.ops.errors import NoAvailableActionError, unravel


class _Shape(NamedTuple):
    """What an index is made of, whose first dimension may differ between calls."""

    device: torch.device
    lead: tuple[int, ...]  # with 0 for the first
    n_agents: int


_cells: dict[_Shape, _C.MissingAction] = {}
_noted: dict[_Shape, Tensor] = {}  # () int64 on the device: as _cells, of what torch's own operations find
_NOTHING = 2**63 - 1


def missing_action_cell(device: torch.device, lead: Sequence[int], n_agents: int) -> _C.MissingAction:
    """Return where a target's kernel notes the first agent without an available action.

    Raises:
        NoAvailableActionError: an earlier call noted one there.
    """
    shape = _Shape(device, (0, *lead[1:]) if lead else (), n_agents)
    if shape not in _cells:
        with torch.cuda.device(device):
            _cells[shape] = _C.MissingAction()
    _raise_noted(shape)
    return _cells[shape]


def note_missing_action(missing: Tensor) -> None:
    """Note the first agent of ``missing`` (..., n) bool, if any, on its device, for :func:`raise_late_errors`."""
    *lead, n_agents = missing.shape
    shape = _Shape(missing.device, (0, *lead[1:]) if lead else (), n_agents)
    if shape not in _noted:
        _noted[shape] = torch.full((), _NOTHING, dtype=torch.int64, device=missing.device)
    flat = missing.flatten()
    places = torch.arange(len(flat), device=missing.device)
    first = torch.where(flat, places, _NOTHING).amin() if len(flat) else _noted[shape]
    _noted[shape].copy_(torch.minimum(_noted[shape], first))


def raise_late_errors() -> None:
    """Wait for the GPUs, and raise what operations found there since they were last asked.

    On the CPU every error is raised at once, and this does nothing.

    Raises:
        NoAvailableActionError: an agent of a step that is not terminated had no available action; ``late`` is
            True, and ``index`` is one of the call that is meant.
    """
    for shape in list(_cells):
        torch.cuda.synchronize(shape.device)
        _raise_noted(shape)
    for shape, cell in _noted.items():
        found = int(cell)
        cell.fill_(_NOTHING)
        _raise(shape, -1 if found == _NOTHING else found)


def _raise_noted(shape: _Shape) -> None:
    _raise(shape, _cells[shape].take())


def _raise(shape: _Shape, found: int) -> None:
    if found >= 0:
        row, agent = divmod(found, shape.n_agents)
        raise NoAvailableActionError(unravel(row, shape.lead), agent, late=True)
