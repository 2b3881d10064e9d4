"""What ``torch.utils.flop_counter`` counts for registered operators: their products, as for PyTorch's own."""

from __future__ import annotations

import math

import torch
from torch.utils.flop_counter import register_flop_formula


def register_products(name: str, w1: int, passes: int = 1) -> None:
    """Let ``torch.ops.pyqmix.<name>`` count two operations for every first-layer weight, in each pass over them.

    Args:
        name: of the operator.
        w1: the place of the first-layer weights (..., n*E) among its arguments.
        passes: 1 of a forward, 2 of a backward.
    """

    def count(*shapes: tuple[int, ...], **_: object) -> int:
        return 2 * passes * math.prod(shapes[w1])

    register_flop_formula(getattr(torch.ops.pyqmix, name))(count)
