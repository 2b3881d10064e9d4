"""Registered operators, ``torch.ops.pyqmix.<name>``, under transforms of ``torch.func`` and forward-mode AD."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pyqmix.ops.eager import is_function_transformed


def call_kernel(name: str, *arguments: Any) -> Any:
    """Call an operator's kernel without its derivative."""
    with torch._C._AutoDispatchBelowAutograd():
        return getattr(torch.ops.pyqmix, name)(*arguments)


def differentiable(name: str, derivative: Callable[..., Any]) -> Callable[..., Any]:
    """Return an operator's kernel with a derivative, as autograd calls it.

    Args:
        name: the operator's.
        derivative: maps the context of ``torch.autograd.Function`` and the outputs' gradients to the inputs'; the
            inputs are its saved tensors.
    """

    class Differentiable(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *inputs: Tensor) -> Any:
            ctx.save_for_backward(*inputs)
            return call_kernel(name, *inputs)

        backward = staticmethod(derivative)

    return Differentiable.apply


def register_transforms(
    name: str, twin: Callable[..., Any], library: torch.library.Library, kernel: Callable[..., Any]
) -> None:
    """Let an operator be differentiated by its composed twin, and run under ``torch.vmap`` in one call.

    Args:
        name: the operator's, which takes leading dimensions.
        twin: maps the same arguments by PyTorch's own operations, of which each transform knows the derivative.
        library: where the operator is registered.
        kernel: the operator outside of transforms, as autograd calls it.
    """
    library.impl(name, lambda *x: twin(*x) if is_function_transformed() else kernel(*x), "Autograd")

    def batched(info: Any, in_dims: tuple[int | None, ...], *arguments: Any) -> tuple[Any, Any]:
        def lead(value: Any, dim: int | None) -> Any:
            if not isinstance(value, Tensor):
                return value
            return value.expand(info.batch_size, *value.shape) if dim is None else value.movedim(dim, 0)

        outputs = getattr(torch.ops.pyqmix, name)(*map(lead, arguments, in_dims))
        return outputs, 0 if isinstance(outputs, Tensor) else (0,) * len(outputs)

    torch.library.register_vmap(f"pyqmix::{name}", batched, lib=library)
