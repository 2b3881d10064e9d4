"""A gated recurrent unit over whole packed sequences, forward and backward through time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor

from pyqmix import _C
from pyqmix.base.kernel_threads import kernel_threads
from pyqmix.ops import reference
from pyqmix.ops.checks import as_rows, check_floating, check_tensor, read_integers, readable
from pyqmix.ops.eager import can_launch_backward, can_launch_on_cpu, composed_gradients, in_float32, is_autocast

_Inputs = tuple[Tensor, list[int], list[Tensor]]  # features, batch sizes, parameters: as the extension reads them


def gru(
    features: Tensor,
    batch_sizes: Tensor | Sequence[int],
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor,
    bias_hh: Tensor,
) -> Tensor:
    """Compute all hidden states of sequences that start from a hidden state of zero, as ``torch.nn.GRU`` does.

    One kernel on the CPU, outside of torch.compile; everywhere else :func:`pyqmix.ops.reference.gru`, one step
    after the other, where ``torch.nn.GRU`` on a ``PackedSequence`` may be faster. G networks may be run at once,
    on sequences of the same lengths.

    Args:
        features: (R, I) float32 or float64, packed: time-major, sequences in order of falling length, as
            ``PackedSequence.data``; or (R, G, I).
        batch_sizes: (T,) int64 on the CPU, or integers, how many sequences reach each step: positive and never
            rising; their sum is R.
        weight_ih: (3*H, I), or (G, 3*H, I); the blocks of rows are reset gate, update gate, candidate.
        weight_hh: (3*H, H), or (G, 3*H, H).
        bias_ih: (3*H,), or (G, 3*H).
        bias_hh: (3*H,), or (G, 3*H).

    Returns:
        (R, H), or (R, G, H), the hidden states after each step, under autocast of float32. Gradients flow to
        features and parameters.

    Raises:
        TypeError: an argument is no tensor, or its dtype is not float32, float64 or differs from the features'.
        ValueError: a shape or device does not fit, or the batch sizes are not those of packed sequences.

    Source: Cho et al., arXiv:1406.1078, with the reset gate behind the product, as cuDNN and PyTorch have it.
    """
    parameters = (weight_ih, weight_hh, bias_ih, bias_hh)
    if is_autocast(features):
        return in_float32(gru, features, batch_sizes, *parameters)
    sizes = _check(features, batch_sizes, parameters)
    if not can_fuse(features, *parameters):
        return reference.gru(features, sizes, *parameters)
    wanted = torch.is_grad_enabled() and any(x.requires_grad for x in (features, *parameters))
    if wanted:
        return cast(Tensor, _Gru.apply(features, sizes, *parameters))  # type: ignore[no-untyped-call]
    hidden = features.new_empty(*features.shape[:-1], weight_hh.shape[-1])
    _C.gru_forward_cpu(*_inputs(features, sizes, parameters), hidden, False, kernel_threads())
    return hidden


def can_fuse(features: Tensor, *parameters: Tensor) -> bool:
    """Whether :func:`gru` is one kernel for these, shapes and dtypes aside."""
    return can_launch_on_cpu(features, *parameters)


def _inputs(features: Tensor, sizes: list[int], parameters: tuple[Tensor, ...]) -> _Inputs:
    width = features.shape[-1] * (features.shape[1] if features.dim() == 3 else 1)
    return as_rows(features, features.shape[0], width), sizes, [readable(p) for p in parameters]


class _Gru(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, sizes: list[int], *parameters: Tensor) -> Tensor:
        ctx.inputs = inputs = _inputs(features, sizes, parameters)
        hidden = features.new_empty(*features.shape[:-1], parameters[1].shape[-1])
        ctx.gates = _C.gru_forward_cpu(*inputs, hidden, True, kernel_threads())
        ctx.save_for_backward(features, hidden, *parameters)
        return hidden

    @staticmethod
    def backward(ctx: Any, grad_hidden: Tensor) -> tuple[Tensor | None, ...]:
        features, hidden, *parameters = ctx.saved_tensors  # raises if one of them was changed
        inputs: _Inputs = ctx.inputs
        if not can_launch_backward(grad_hidden):
            twin = partial(_composed, inputs[1])
            needed = [ctx.needs_input_grad[0], *ctx.needs_input_grad[2:]]
            of_features, *rest = composed_gradients(twin, [features, *parameters], needed, [grad_hidden])
            return (of_features, None, *rest)
        rows = features.shape[0]
        grad = as_rows(grad_hidden, rows, hidden[0].numel() if rows else 1)
        wanted = any(ctx.needs_input_grad[2:])
        grads = [p.new_empty(p.shape) for p in parameters] if wanted else None
        grad_features = features.new_empty(features.shape) if ctx.needs_input_grad[0] else None
        threads = kernel_threads()
        _C.gru_backward_cpu(*inputs, hidden, ctx.gates, grad, grads, grad_features, threads)
        return (grad_features, None, *(grads or (None,) * 4))


def _composed(batch_sizes: list[int], features: Tensor, *parameters: Tensor) -> Tensor:
    return reference.gru(features, batch_sizes, *parameters)


def _check(features: Tensor, batch_sizes: object, parameters: tuple[Tensor, ...]) -> list[int]:
    """Require fitting arguments; return the batch sizes."""
    check_floating("features", features, 1, "(R, I) or (R, G, I)")
    if features.dim() not in (2, 3) or 0 in features.shape[1:]:
        raise ValueError(f"features: expected (R, I) or (R, G, I), got shape {tuple(features.shape)}")
    check_floating("weight_hh", parameters[1], features.dim(), "(3*H, H) or (G, 3*H, H)")
    groups, hidden = features.shape[1:-1], parameters[1].shape[-1]
    shapes = ((3 * hidden, features.shape[-1]), (3 * hidden, hidden), (3 * hidden,), (3 * hidden,))
    for name, tensor, shape in zip(_NAMES, parameters, shapes, strict=True):
        check_tensor(name, tensor, (*groups, *shape), features.dtype, features.device)
    return check_batch_sizes("batch_sizes", batch_sizes, features.shape[0])


def check_batch_sizes(name: str, batch_sizes: object, rows: int) -> list[int]:
    """Require the numbers of sequences at each step of ``rows`` packed ones; return them.

    Raises:
        TypeError: they are neither an int64 tensor nor integers.
        ValueError: shape or device does not fit, or they are not those of packed sequences.
    """
    sizes = _listed(name, batch_sizes)
    if torch.compiler.is_compiling():  # the numbers may be symbols
        return sizes
    if any(a < b for a, b in pairwise(sizes)) or (sizes and sizes[-1] < 1):
        raise ValueError(f"{name}: expected positive numbers that never rise, got {sizes}")
    if sum(sizes) != rows:
        raise ValueError(f"{name}: expected a sum of {rows}, the rows of packed sequences, got {sum(sizes)}")
    return sizes


def _listed(name: str, batch_sizes: object) -> list[int]:
    if isinstance(batch_sizes, (list, tuple)) and all(type(size) in (int, torch.SymInt) for size in batch_sizes):
        return list(batch_sizes)
    if not isinstance(batch_sizes, Tensor) or batch_sizes.dtype != torch.int64:
        got = batch_sizes.dtype if isinstance(batch_sizes, Tensor) else type(batch_sizes).__name__
        raise TypeError(f"{name}: expected (T,) int64 on the cpu, or integers, got {got}")
    if batch_sizes.dim() != 1 or not batch_sizes.is_cpu:
        raise ValueError(
            f"{name}: expected (T,) int64 on the cpu, got {tuple(batch_sizes.shape)} on {batch_sizes.device}"
        )
    return read_integers(name, batch_sizes)


_NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
