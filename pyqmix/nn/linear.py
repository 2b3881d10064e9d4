"""Linear layers whose ReLU may be asked for with them, so that a GPU fuses it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pyqmix import ops
from pyqmix.nn.untouched import is_untouched, untouched_parameters

LINEAR = ("weight", "bias")  # names of their parameters


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
        outputs: Tensor
        if len(self) == 3 and is_untouched(self[1], nn.ReLU):
            outputs = self[2](linear_relu(self[0], inputs, Linear))
        else:
            outputs = super().forward(inputs)  # type: ignore[no-untyped-call]
        return outputs


def linear_relu(layer: nn.Module, inputs: Tensor, kind: type[nn.Module]) -> Tensor:
    """Apply a layer and a ReLU: in one call, where it is an untouched one of this package's."""
    outputs: Tensor = layer(inputs, relu=True) if is_untouched(layer, kind) else layer(inputs).relu()
    return outputs


def layer_parameters(module: nn.Module) -> list[Tensor] | None:
    """Return weights and biases of an untouched :class:`Linear` or :class:`TwoLayers`; None of anything else."""
    if type(module) is Linear:
        return untouched_parameters(module, Linear, LINEAR)
    if untouched_parameters(module, TwoLayers, ()) is None or len(module._modules) != 3:
        return None
    first, activation, last = module._modules.values()
    if first is None or activation is None or last is None:
        return None
    of_activation = untouched_parameters(activation, nn.ReLU, ())
    of_first, of_last = untouched_parameters(first, Linear, LINEAR), untouched_parameters(last, Linear, LINEAR)
    if of_activation is None or of_first is None or of_last is None:
        return None
    return of_first + of_last


def apply_stacked(
    inputs: Tensor, with_relu: Sequence[Sequence[Tensor]], without: Sequence[Sequence[Tensor]]
) -> tuple[Tensor, ...]:
    """Map inputs (..., I) by several linear layers at once, of which the first have a ReLU behind them.

    Args:
        inputs: (..., I).
        with_relu: weight (O, I) and bias (O,) of each layer with a ReLU.
        without: of each other layer.

    Returns:
        Their outputs, each (..., O) of its own O.
    """
    weights, biases = zip(*with_relu, *without, strict=True)
    widths = [len(bias) for bias in biases]
    relu = sum(widths[: len(with_relu)])
    outputs = ops.linear(inputs, torch.cat(weights), torch.cat(biases), relu)
    return torch.split(outputs, widths, -1)
