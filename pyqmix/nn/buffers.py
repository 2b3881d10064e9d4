"""Tensors of a module that are no parameters but belong to what it has learned."""

from __future__ import annotations

from torch import Tensor, nn


def persistent_buffers(module: nn.Module) -> list[Tensor]:
    """Return the buffers that are in a module's ``state_dict``, such as a batch normalisation's statistics."""
    saved = module.state_dict().keys()
    return [buffer for name, buffer in module.named_buffers() if name in saved]
