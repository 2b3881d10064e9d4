"""The fused monotonic mixing, forward and backward."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from pyqmix import _C
from pyqmix.base.kernel_threads import kernel_threads
from pyqmix.ops import reference
from pyqmix.ops.checks import as_rows, check_floating, check_tensor, require_cuda_kernels
from pyqmix.ops.eager import can_launch, can_launch_backward, composed_gradients, in_float32, is_autocast
from pyqmix.ops.flops import register_products
from pyqmix.ops.operators import differentiable, register_transforms

Five = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def mix(agent_qs: Tensor, w1: Tensor, b1: Tensor, w_final: Tensor, v: Tensor) -> Tensor:
    """Mix the agents' values into the team's value, monotonically in each.

    ``q_tot = ELU(q · |W1| + b1) · |w_final| + v`` for every leading index.

    Args:
        agent_qs: (..., n) float32 or float64, on a GPU bfloat16 too (computed in float32), the agents' values.
        w1: (..., n*E), first-layer weights before the absolute value, agent-major.
        b1: (..., E), first-layer bias; its last dimension tells E.
        w_final: (..., E), second-layer weights before the absolute value.
        v: (...), the state-dependent bias of the second layer.

    Returns:
        (...) q_tot, of the inputs' dtype and device; under autocast of float32. Gradients flow to all five inputs.

    Raises:
        TypeError: an argument is no tensor, or its dtype is none of those or differs from agent_qs'.
        ValueError: a shape or device does not fit.

    Source: Rashid et al., arXiv:1803.11485, section 4.1; arXiv:2003.08839, section 4.1.
    """
    if is_autocast(agent_qs):
        return in_float32(mix, agent_qs, w1, b1, w_final, v)
    check_mix_inputs(agent_qs, w1, b1, w_final, v)
    if torch.compiler.is_compiling():
        return cast(Tensor, torch.ops.pyqmix.mix(agent_qs, w1, b1, w_final, v))
    if can_launch(agent_qs, w1, b1, w_final, v):
        return cast(Tensor, _Mix.apply(agent_qs, w1, b1, w_final, v))  # type: ignore[no-untyped-call]
    return reference.mix(agent_qs, w1, b1, w_final, v)


def check_mix_inputs(agent_qs: Tensor, w1: Tensor, b1: Tensor, w_final: Tensor, v: Tensor) -> None:
    """Raise as :func:`mix` documents it."""
    check_floating("agent_qs", agent_qs, 1, "(..., n)", bfloat16=True)
    check_floating("b1", b1, 1, "(..., E)", bfloat16=True)
    lead, dtype, device = tuple(agent_qs.shape[:-1]), agent_qs.dtype, agent_qs.device
    check_mixer_weights(lead, agent_qs.shape[-1], dtype, device, w1, b1, w_final, v)


def check_mixer_weights(
    lead: tuple[int, ...],
    n_agents: int,
    dtype: torch.dtype,
    device: torch.device,
    w1: Tensor,
    b1: Tensor,
    w_final: Tensor,
    v: Tensor,
) -> None:
    """Check the hypernetworks' outputs against the leading dimensions and the number of agents."""
    embed_dim = b1.shape[-1]
    check_tensor("b1", b1, (*lead, embed_dim), dtype, device)
    check_tensor("w1", w1, (*lead, n_agents * embed_dim), dtype, device)
    check_tensor("w_final", w_final, (*lead, embed_dim), dtype, device)
    check_tensor("v", v, lead, dtype, device)


def mix_rows(agent_qs: Tensor, w1: Tensor, b1: Tensor, w_final: Tensor, v: Tensor) -> Five:
    """View the five inputs as matrices of one sample a row."""
    rows, n_agents, embed_dim = v.numel(), agent_qs.shape[-1], b1.shape[-1]
    return (
        as_rows(agent_qs, rows, n_agents),
        as_rows(w1, rows, n_agents * embed_dim),
        as_rows(b1, rows, embed_dim),
        as_rows(w_final, rows, embed_dim),
        as_rows(v, rows, 1),
    )


def _forward(agent_qs: Tensor, w1: Tensor, b1: Tensor, w_final: Tensor, v: Tensor) -> Tensor:
    flat = mix_rows(agent_qs, w1, b1, w_final, v)
    q_tot = torch.empty(v.shape, dtype=v.dtype, device=v.device)
    if v.device.type == "cuda":
        require_cuda_kernels()
        with torch.cuda.device(v.device):
            _C.mix_forward_cuda(flat, q_tot, torch.cuda.current_stream().cuda_stream)
    else:
        _C.mix_forward_cpu(flat, q_tot, kernel_threads())
    return q_tot


def _backward(grad_q_tot: Tensor, agent_qs: Tensor, w1: Tensor, b1: Tensor, w_final: Tensor, v: Tensor) -> Five:
    flat = mix_rows(agent_qs, w1, b1, w_final, v)
    grad = as_rows(grad_q_tot, v.numel(), 1)
    grads = cast(
        Five,
        tuple(torch.empty(x.shape, dtype=x.dtype, device=x.device) for x in (agent_qs, w1, b1, w_final, v)),
    )
    if v.device.type == "cuda":
        require_cuda_kernels()
        with torch.cuda.device(v.device):
            _C.mix_backward_cuda(flat, grad, grads, torch.cuda.current_stream().cuda_stream)
    else:
        _C.mix_backward_cpu(flat, grad, grads, kernel_threads())
    return grads


class _Mix(torch.autograd.Function):
    """The hot path outside torch.compile: the dispatcher's decorators cost tens of microseconds a call."""

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> Tensor:
        ctx.save_for_backward(*inputs)
        return _forward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad_q_tot: Tensor) -> tuple[Tensor | None, ...]:
        inputs = ctx.saved_tensors
        if can_launch_backward(grad_q_tot):
            return _backward(grad_q_tot, *inputs)
        return composed_gradients(reference.mix, inputs, ctx.needs_input_grad, [grad_q_tot])


def _forward_by_name(*inputs: Tensor) -> Tensor:
    check_mix_inputs(*inputs)
    return _forward(*inputs)


def _backward_by_name(grad_q_tot: Tensor, *inputs: Tensor) -> Five:
    check_mix_inputs(*inputs)
    v = inputs[-1]
    check_tensor("grad_q_tot", grad_q_tot, tuple(v.shape), v.dtype, v.device)
    return _backward(grad_q_tot, *inputs)


# The same through torch.library, which torch.compile and torch.library.opcheck understand; whoever calls
# torch.ops.pyqmix.mix passes no other check.
_INPUTS = "Tensor agent_qs, Tensor w1, Tensor b1, Tensor w_final, Tensor v"
_library = torch.library.Library("pyqmix", "FRAGMENT")
_library.define(f"mix({_INPUTS}) -> Tensor")
_library.define(f"mix_backward(Tensor grad_q_tot, {_INPUTS}) -> (Tensor, Tensor, Tensor, Tensor, Tensor)")
for _key in ("CPU", "CUDA"):
    _library.impl("mix", _forward_by_name, _key)
    _library.impl("mix_backward", _backward_by_name, _key)


@torch.library.register_fake("pyqmix::mix", lib=_library)  # type: ignore[untyped-decorator]
def _mix_fake(*inputs: Tensor) -> Tensor:
    check_mix_inputs(*inputs)
    return torch.empty_like(inputs[-1], memory_format=torch.contiguous_format)


@torch.library.register_fake("pyqmix::mix_backward", lib=_library)  # type: ignore[untyped-decorator]
def _mix_backward_fake(grad_q_tot: Tensor, *inputs: Tensor) -> Five:
    check_mix_inputs(*inputs)
    return cast(Five, tuple(torch.empty_like(x, memory_format=torch.contiguous_format) for x in inputs))


def _derivative(ctx: Any, grad_q_tot: Tensor) -> Five:
    return cast(Five, torch.ops.pyqmix.mix_backward(grad_q_tot, *ctx.saved_tensors))


def _second_derivative(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
    return composed_gradients(_gradients, ctx.saved_tensors, ctx.needs_input_grad, grads)


def _gradients(grad_q_tot: Tensor, *inputs: Tensor) -> tuple[Tensor | None, ...]:
    return composed_gradients(reference.mix, inputs, [True] * 5, [grad_q_tot])


register_transforms("mix", reference.mix, _library, differentiable("mix", _derivative))
register_transforms("mix_backward", _gradients, _library, differentiable("mix_backward", _second_derivative))
register_products("mix", 1)
register_products("mix_backward", 2, passes=2)
