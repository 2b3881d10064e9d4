"""Linear layers whose ReLU may be asked for with them, so that a GPU fuses it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from pyqmix import ops


class Linear(nn.Linear):
    """``torch.nn.Linear``, with bias."""

    def forward(self, inputs: Tensor, relu: bool = False) -> Tensor:
        """Map (..., I) to (..., O)."""
        return ops.linear(inputs, self.weight, self.bias, relu)


class TwoLayers(nn.Sequential):
    """Linear - ReLU - linear; parameters ``0.weight``, ``0.bias``, ``2.weight``, ``2.bias``."""

    def __init__(self, in_features: int, hidden: int, out_features: int) -> None:
        super().__init__(Linear(in_features, hidden), nn.ReLU(), Linear(hidden, out_features))

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (..., I) to (..., O)."""
        first, _, last = self
        outputs: Tensor = last(first(inputs, relu=True))
        return outputs


def own_tensor(layer: nn.Module, name: str) -> Tensor:
    """Return a layer's parameter, as its module shows it."""
    own = layer._parameters.get(name)  # much faster than the attribute, which a parametrised layer needs
    return cast(Tensor, getattr(layer, name)) if own is None else own


def apply_stacked(
    inputs: Tensor, with_relu: Sequence[nn.Module], without: Sequence[nn.Module]
) -> tuple[Tensor, ...]:
    """Map inputs (..., I) by several linear layers at once, of which the first have a ReLU behind them.

    Returns:
        Their outputs, each (..., O) of its own O.
    """
    layers = [*with_relu, *without]
    weights, biases = ([own_tensor(layer, name) for layer in layers] for name in ("weight", "bias"))
    widths = [len(bias) for bias in biases]
    relu = sum(widths[: len(with_relu)])
    outputs = ops.linear(inputs, torch.cat(weights), torch.cat(biases), relu)
    return torch.split(outputs, widths, -1)
