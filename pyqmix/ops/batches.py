"""Registered operators under ``torch.vmap``: a batch is one more leading dimension."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def register_batches(name: str, library: torch.library.Library) -> None:
    """Let ``torch.ops.pyqmix.<name>``, which takes leading dimensions, run under ``torch.vmap`` in one call."""
    operator = getattr(torch.ops.pyqmix, name)

    def batched(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[Any, Any]:
        def lead(value: Any, dim: int | None) -> Any:
            if not isinstance(value, Tensor):
                return value
            return value.expand(info.batch_size, *value.shape) if dim is None else value.movedim(dim, 0)

        outputs = operator(*map(lead, arguments, in_dims))
        return outputs, 0 if isinstance(outputs, Tensor) else (0,) * len(outputs)

    torch.library.register_vmap(f"pyqmix::{name}", batched, lib=library)
