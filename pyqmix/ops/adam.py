"""A step of Adam with gradient clipping, on one block of parameters."""

from __future__ import annotations

import torch
from torch import Tensor

from pyqmix import _C
from pyqmix.ops.checks import check_floating, check_tensor


@torch.no_grad()
def adam(
    parameters: Tensor,
    gradient: Tensor,
    exp_avg: Tensor,
    exp_avg_sq: Tensor,
    step: int,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    *,
    max_norm: float,
) -> Tensor:
    """Scale a gradient down to a norm of at most ``max_norm``, and take a step of Adam; all in place, on the CPU.

    As ``torch.nn.utils.clip_grad_norm_`` and ``torch.optim.Adam`` do, in one call, on one thread.

    Args:
        parameters: (K,) float32 or float64.
        gradient: (K,).
        exp_avg: (K,), the gradient's running mean.
        exp_avg_sq: (K,), that of its square.
        step: 1 at the first.
        lr: the learning rate.
        betas: how much of the running means stays at a step.
        eps: what is added to the root of the mean square.
        max_norm: the gradient's largest norm.

    Returns:
        The gradient's norm before, a scalar.

    Raises:
        TypeError: an argument is no tensor or of the wrong dtype.
        ValueError: a shape or device does not fit, a tensor is not contiguous, or the step is below 1.

    Source: Kingma and Ba, arXiv:1412.6980, algorithm 1.
    """
    check_floating("parameters", parameters, 1, "(K,)")
    blocks = {"parameters": parameters, "gradient": gradient, "exp_avg": exp_avg, "exp_avg_sq": exp_avg_sq}
    for name, block in blocks.items():
        check_tensor(name, block, (parameters.numel(),), parameters.dtype, torch.device("cpu"))
        if not block.is_contiguous() or block.is_neg():
            raise ValueError(f"{name}: expected contiguous memory, got strides {block.stride()}")
    if step < 1:
        raise ValueError(f"step: expected an integer of at least 1, got {step}")
    norm = _C.adam_cpu(
        size=parameters.numel(),
        **{name: block.data_ptr() for name, block in blocks.items()},
        step=step,
        lr=lr,
        beta1=betas[0],
        beta2=betas[1],
        eps=eps,
        max_norm=max_norm,
        is_double=parameters.dtype == torch.float64,
    )
    return torch.tensor(norm, dtype=parameters.dtype)
