"""Linear layers whose ReLU may be asked for with them, so that a GPU fuses it."""

from __future__ import annotations

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
