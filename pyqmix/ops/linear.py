"""A linear layer and its ReLU; on a GPU what surrounds the matrix products is fused."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import torch
from torch import Tensor

from pyqmix import _C
from pyqmix.ops import reference
from pyqmix.ops.checks import (
    check_floating,
    check_tensor,
    readable,
    require_cuda_kernels,
)
from pyqmix.ops.eager import can_launch, can_launch_backward, composed_gradients, is_autocast


def linear(inputs: Tensor, weight: Tensor, bias: Tensor, relu: bool | int = False) -> Tensor:
    """Compute ``x Wᵀ + b``, and with ``relu`` the larger of it and 0.

    Several layers of the same inputs may be stacked, those with a ReLU first.

    On a GPU the products are torch's; bias and ReLU are one launch after them, the ReLU's mask and the bias's
    gradient two in the backward. Elsewhere, under autocast and for lower precision, all of it is torch's.

    Args:
        inputs: (..., I) float32 or float64; errors refer to these.
        weight: (O, I).
        bias: (O,); or (G, O), one for each of G neighbouring rows of inputs (..., G, I).
        relu: whether a ReLU follows; a number k: after the first k outputs only.

    Returns:
        (..., O). Gradients flow to inputs, weight and bias.

    Raises:
        TypeError: an argument is no tensor, or of another dtype than the inputs.
        ValueError: a shape or device does not fit, or there are fewer outputs than the ReLU needs.
    """
    if _is_torchs(inputs):
        return reference.linear(inputs, weight, bias, relu)
    check_floating("inputs", inputs, 1, "(..., I)")
    check_floating("weight", weight, 2, "(O, I)")
    check_floating("bias", bias, 1, "(O,) or (G, O)")
    dtype, device = inputs.dtype, inputs.device
    check_tensor("weight", weight, (*weight.shape[:1], inputs.shape[-1]), dtype, device)
    groups = tuple(inputs.shape[-2:-1]) if bias.dim() == 2 else ()
    check_tensor("bias", bias, (*groups, weight.shape[0]), dtype, device)
    columns = weight.shape[0] * int(relu) if isinstance(relu, bool) else relu
    if not 0 <= columns <= weight.shape[0] or (groups and columns % weight.shape[0] != 0):
        raise ValueError(f"relu: expected at most {weight.shape[0]} outputs, of groups all or none, got {relu}")
    if not inputs.is_cuda or not can_launch(inputs, weight, bias):
        return reference.linear(inputs, weight, bias, columns)
    return cast(Tensor, _Linear.apply(inputs, weight, bias, columns))  # type: ignore[no-untyped-call]


def _is_torchs(inputs: object) -> bool:
    """Whether dtypes are torch's affair: under autocast, or in lower precision."""
    if not isinstance(inputs, Tensor) or inputs.is_meta:
        return False
    low = inputs.is_floating_point() and inputs.dtype not in (torch.float32, torch.float64)
    return low or is_autocast(inputs)


def _of_row(relu: int, weight: Tensor, bias: Tensor) -> int:
    """Count the columns of a row of all groups that pass the ReLU."""
    return relu if bias.dim() == 1 else relu // weight.shape[0] * bias.numel()


def _forward(flat: Tensor, weight: Tensor, bias: Tensor, relu: int) -> Tensor:
    """Map (R, I) to (R, O)."""
    require_cuda_kernels()
    out = torch.mm(flat, weight.t())
    with torch.cuda.device(out.device):
        stream = torch.cuda.current_stream().cuda_stream
        values = out.view(-1, bias.numel())
        _C.bias_relu_cuda(values, readable(bias), _of_row(relu, weight, bias), stream)
    return out


def _backward(grad: Tensor, outputs: Tensor | None, bias: Tensor, relu: int) -> tuple[Tensor, Tensor]:
    """Return the gradients (R, O) before the ReLU of the first ``relu`` columns, and of the bias."""
    rows, width = grad.numel() // bias.numel(), bias.numel()
    grad = readable(grad.reshape(rows, width))
    grad_bias, masked, of_relu = torch.empty_like(bias, memory_format=torch.contiguous_format), grad, None
    if outputs is not None:
        masked = torch.empty_like(grad)
        of_relu = outputs.view(rows, width), masked, relu
    parts = _C.bias_relu_parts(rows, width)
    sums = torch.empty((parts, width), dtype=grad.dtype, device=grad.device)
    with torch.cuda.device(grad.device):
        stream = torch.cuda.current_stream().cuda_stream
        _C.bias_relu_backward_cuda(grad, of_relu, sums, grad_bias, stream)
    return masked, grad_bias


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor, relu: int) -> Tensor:
        flat = inputs.reshape(-1, inputs.shape[-1])
        out = _forward(flat, weight, bias, relu)
        ctx.save_for_backward(inputs, weight, bias, out if relu > 0 else None)
        ctx.relu = relu
        return out.view(*inputs.shape[:-1], weight.shape[0])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight, bias, out = ctx.saved_tensors
        if not can_launch_backward(grad):
            twin = partial(reference.linear, relu=ctx.relu)
            return (*composed_gradients(twin, [inputs, weight, bias], ctx.needs_input_grad[:3], [grad]), None)
        flat = inputs.detach().reshape(-1, weight.shape[1])
        masked, grad_bias = _backward(grad, out, bias, _of_row(ctx.relu, weight, bias))
        masked = masked.view(-1, weight.shape[0])
        of_inputs = None
        if ctx.needs_input_grad[0]:
            of_inputs = torch.mm(masked, weight).view(*grad.shape[:-1], weight.shape[1])
        return of_inputs, torch.mm(masked.t(), flat), grad_bias, None
