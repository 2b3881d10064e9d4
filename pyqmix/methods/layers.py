"""Feed-forward networks of any depth."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from pyqmix.nn.linear import Linear


class FeedForward(nn.Sequential):
    """Linear layers with a ReLU between any two.

    Args:
        widths: of the inputs and of each layer's outputs.
    """

    def __init__(self, *widths: int) -> None:
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [Linear(inputs, outputs), nn.ReLU()]
        super().__init__(*layers[:-1])

    def forward(self, *inputs: Tensor) -> Tensor:
        """Map inputs (..., I_k), one behind the other, to (..., O)."""
        values = torch.cat(inputs, -1)
        for layer in self:
            values = layer(values)
        return values
