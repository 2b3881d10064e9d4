"""What kernels on a GPU found while nobody waited for them.

The target's kernel notes an agent without an available action in a cell of page-locked memory, which the host
reads without a copy and without waiting: when the target is next computed for such shapes, and in
:func:`raise_late_errors`. Until then the step's target is NaN, and with it a loss of which it is part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from pyqmix import _C
from pyqmix.ops.errors import NoAvailableActionError, unravel


class _Shape(NamedTuple):
    """What an index is made of, whose first dimension may differ between calls."""

    device: torch.device
    lead: tuple[int, ...]  # with 0 for the first
    n_agents: int


_cells: dict[_Shape, _C.MissingAction] = {}


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


def _raise_noted(shape: _Shape) -> None:
    found = _cells[shape].take()
    if found >= 0:
        row, agent = divmod(found, shape.n_agents)
        raise NoAvailableActionError(unravel(row, shape.lead), agent, late=True)
