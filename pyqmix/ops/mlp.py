"""Linear layers with a ReLU between each two of them, in one pass over tiles that stay in cache."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from pyqmix import _C
from pyqmix.base.kernel_threads import kernel_threads
from pyqmix.ops import reference
from pyqmix.ops.checks import as_rows, check_floating, check_tensor, readable
from pyqmix.ops.eager import can_launch_backward, can_launch_on_cpu, composed_gradients, in_float32, is_autocast

Parameters = Sequence[Tensor]


class _Inputs(NamedTuple):
    """The arguments as the extension reads them."""

    features: Tensor
    parameters: list[Tensor]
    one_hot: int
    final_relu: bool


def mlp(features: Tensor, parameters: Parameters, one_hot: int = 0, final_relu: bool = False) -> Tensor:
    """Compute linear layers with a ReLU between each two of them.

    One kernel on the CPU, outside of torch.compile; everywhere else PyTorch's own layers. G networks may be run at
    once.

    Args:
        features: (R, I) float32 or float64; or (R, G, I).
        parameters: weight and bias of each layer in turn, as ``torch.nn.Linear`` has them: (outputs, inputs),
            (outputs,); or (G, outputs, inputs), (G, outputs). The first layer's inputs are I + one_hot.
        one_hot: the width of a one-hot part behind the features, which is never built: row r's one stands at
            r mod one_hot. So the agents of an episode's step, one row each, are told apart.
        final_relu: whether a ReLU follows the last layer, too.

    Returns:
        (R, O), or (R, G, O), the last layer's outputs, under autocast of float32. Gradients flow to all tensors.

    Raises:
        TypeError: an argument is no tensor, or its dtype is not float32, float64 or differs from the features'.
        ValueError: a shape or device does not fit.
    """
    if is_autocast(features):
        return in_float32(mlp, features, parameters, one_hot, final_relu)
    check_floating("features", features, 1, "(R, I) or (R, G, I)")
    _check(features, parameters, one_hot)
    if not can_fuse(features, parameters):
        return reference.mlp(features, parameters, one_hot, final_relu)
    if torch.is_grad_enabled() and any(x.requires_grad for x in (features, *parameters)):
        return cast(Tensor, _Mlp.apply(features, one_hot, final_relu, *parameters))  # type: ignore[no-untyped-call]
    return _forward(features, _inputs(features, one_hot, final_relu, parameters), keep=False)[0]


def can_fuse(features: Tensor, parameters: Parameters) -> bool:
    """Whether :func:`mlp` is one kernel for these, shapes and dtypes aside."""
    return can_launch_on_cpu(features, *parameters)


def _inputs(features: Tensor, one_hot: int, final_relu: bool, parameters: Parameters) -> _Inputs:
    width = features.shape[-1] * (features.shape[1] if features.dim() == 3 else 1)
    rows = as_rows(features, features.shape[0], width)
    return _Inputs(rows, [readable(p) for p in parameters], one_hot, final_relu)


def _forward(features: Tensor, inputs: _Inputs, keep: bool) -> tuple[Tensor, _C.Workspace | None]:
    out = features.new_empty(*features.shape[:-1], inputs.parameters[-1].shape[-1])
    return out, _C.mlp_forward_cpu(*inputs, out, keep, kernel_threads())


class _Mlp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, one_hot: int, final_relu: bool, *parameters: Tensor) -> Tensor:
        ctx.inputs = _inputs(features, one_hot, final_relu, parameters)
        out, ctx.activations = _forward(features, ctx.inputs, keep=True)
        ctx.save_for_backward(features, out if final_relu else None, *parameters)
        return out

    @staticmethod
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        features, out, *parameters = ctx.saved_tensors  # raises if one of them was changed
        inputs: _Inputs = ctx.inputs
        if not can_launch_backward(grad_out):
            twin = partial(_composed, inputs)
            needed = [ctx.needs_input_grad[0], *ctx.needs_input_grad[3:]]
            of_features, *composed = composed_gradients(twin, [features, *parameters], needed, [grad_out])
            return (of_features, None, None, *composed)
        rows = features.shape[0]
        grad = as_rows(grad_out, rows, grad_out[0].numel() if rows else 1)
        grads = [torch.empty_like(p) for p in inputs.parameters]
        grad_features = features.new_empty(features.shape) if ctx.needs_input_grad[0] else None
        _C.mlp_backward_cpu(*inputs, out, ctx.activations, grad, grads, grad_features, kernel_threads())
        return (grad_features, None, None, *grads)


def _composed(inputs: _Inputs, features: Tensor, *parameters: Tensor) -> Tensor:
    return reference.mlp(features, parameters, inputs.one_hot, inputs.final_relu)


def _check(features: Tensor, parameters: Parameters, one_hot: int) -> None:
    if features.dim() not in (2, 3) or 0 in features.shape[1:]:
        raise ValueError(f"features: expected (R, I) or (R, G, I), got shape {tuple(features.shape)}")
    if isinstance(one_hot, bool) or not isinstance(one_hot, int) or one_hot < 0:
        raise ValueError(f"one_hot: expected an integer of at least 0, got {one_hot!r}")
    if not parameters or len(parameters) % 2:
        raise ValueError(f"parameters: expected a weight and a bias for each layer, got {len(parameters)} tensors")
    groups, inputs = features.shape[1:-1], features.shape[-1] + one_hot
    for k, (weight, bias) in enumerate(zip(parameters[::2], parameters[1::2], strict=True)):
        check_floating(f"weight {k}", weight, 2, "(outputs, inputs) or (G, outputs, inputs)")
        outputs = weight.shape[-2]
        check_tensor(f"weight {k}", weight, (*groups, outputs, inputs), features.dtype, features.device)
        check_tensor(f"bias {k}", bias, (*groups, outputs), features.dtype, features.device)
        inputs = outputs
