"""A step of Adam with gradient clipping, on one block of parameters."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from pyqmix import _C
from pyqmix.ops import reference
from pyqmix.ops.checks import check_floating, check_tensor, require_cuda_kernels
from pyqmix.ops.eager import is_plain


@torch.no_grad()
def adam(
    parameters: Tensor,
    gradient: Tensor,
    exp_avg: Tensor,
    exp_avg_sq: Tensor,
    step: int | Tensor,
    lr: float | Tensor,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    *,
    max_norm: float,
) -> Tensor:
    """Scale a gradient down to a norm of at most ``max_norm``, and take a step of Adam; all in place.

    As ``torch.nn.utils.clip_grad_norm_`` and ``torch.optim.Adam`` do, in one call: on the CPU on one thread, on a
    GPU in two launches that are not waited for.

    Args:
        parameters: (K,) float32 or float64.
        gradient: (K,).
        exp_avg: (K,), the gradient's running mean.
        exp_avg_sq: (K,), that of its square.
        step: 1 at the first; on a GPU () float32 there, so that a captured graph reads the current value.
        lr: the learning rate; on a GPU likewise.
        betas: how much of the running means stays at a step.
        eps: added to the root of the mean square.
        max_norm: the gradient's largest norm.

    Returns:
        The gradient's norm before, a scalar.

    Raises:
        TypeError: an argument is no tensor or of the wrong dtype.
        ValueError: a shape or device does not fit, a tensor is not contiguous, or on the CPU the step is below 1.

    Source: Kingma and Ba, arXiv:1412.6980, algorithm 1.
    """
    check_floating("parameters", parameters, 1, "(K,)")
    tensors = {"parameters": parameters, "gradient": gradient, "exp_avg": exp_avg, "exp_avg_sq": exp_avg_sq}
    for name, tensor in tensors.items():
        check_tensor(name, tensor, (parameters.numel(),), parameters.dtype, parameters.device)
    block, options = (parameters, gradient, exp_avg, exp_avg_sq), (*betas, eps, max_norm)
    if not is_plain(*block):
        return reference.adam(*block, step, lr, betas, eps, max_norm=max_norm)
    for name, tensor in tensors.items():
        if not tensor.is_contiguous() or tensor.is_neg():
            raise ValueError(f"{name}: expected contiguous memory, got strides {tensor.stride()}")
    if not parameters.is_cuda:
        if step < 1:
            raise ValueError(f"step: expected an integer of at least 1, got {step}")
        norm = _C.adam_cpu(*block, int(step), float(lr), *options)
        return torch.tensor(norm, dtype=parameters.dtype, device="cpu")
    for name, scalar in (("step", step), ("lr", lr)):
        check_tensor(name, scalar, (), torch.float32, parameters.device)
    return _adam_cuda(block, cast(Tensor, step), cast(Tensor, lr), options)


def _adam_cuda(
    block: tuple[Tensor, Tensor, Tensor, Tensor],
    step: Tensor,
    lr: Tensor,
    options: tuple[float, float, float, float],
) -> Tensor:
    require_cuda_kernels()
    parameters = block[0]
    scratch = parameters.new_empty(_C.ADAM_SCRATCH)
    norm = parameters.new_empty(())
    with torch.cuda.device(parameters.device):
        stream = torch.cuda.current_stream().cuda_stream
        _C.adam_cuda(*block, step, lr, *options, scratch=scratch, norm=norm, stream=stream)
    return norm
