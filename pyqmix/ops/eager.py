"""When a kernel may be launched at once, and the composed twin where PyTorch must see every operation.

A kernel reads and writes memory behind PyTorch's back. That is right for ordinary tensors alone: under a transform
or a tracer (``torch.func``, forward-mode AD, ``torch.jit.trace``, ``make_fx``, fake tensors, dispatch and function
modes) the memory is not there or not the whole truth. Every operation of this package then is its composition of
PyTorch's own operations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch.autograd import forward_ad
from torch.overrides import _get_current_function_mode_stack
from torch.utils._device import DeviceContext

from pyqmix.ops.backend import wants_reference

Result = TypeVar("Result")
_HALF = (torch.float16, torch.bfloat16)


def is_plain(*values: Tensor) -> bool:
    """Whether a kernel may be launched on these tensors now, whatever their device."""
    if torch.compiler.is_compiling() or _is_transformed():
        return False
    for value in values:
        kind = type(value)
        if (kind is not Tensor and kind is not torch.nn.Parameter) or not (value.is_cpu or value.is_cuda):
            return False
    return True


def can_launch(*values: Tensor) -> bool:
    """Whether an operation launches its kernel on these: they are plain, and the reference is not asked for."""
    return not wants_reference() and is_plain(*values)


def can_launch_on_cpu(*values: Tensor) -> bool:
    """As :func:`can_launch`, for an operation that has a kernel for the CPU alone."""
    return can_launch(*values) and all(x.is_cpu for x in values)


def can_copy(*values: Tensor) -> bool:
    """Whether a kernel without a backward may copy these: they are plain, and want no gradient."""
    return is_plain(*values) and not (torch.is_grad_enabled() and any(x.requires_grad for x in values))


def can_launch_backward(grad: Tensor) -> bool:
    """Whether a backward of kernels may take this gradient: a plain one, of which no derivative is asked."""
    return (
        not torch.is_grad_enabled()  # create_graph=True
        and is_plain(grad)
        and not grad._is_zerotensor()
        and not torch._C._functorch.is_legacy_batchedtensor(grad)  # is_grads_batched=True
    )


def composed_gradients(
    twin: Callable[..., Any], inputs: Sequence[Tensor], needed: Sequence[bool], grads: Sequence[Tensor]
) -> tuple[Tensor | None, ...]:
    """Compute the gradients of a backward by an operation's composed twin, which are differentiable themselves.

    Args:
        twin: maps the inputs to the outputs.
        inputs: of the forward.
        needed: for which of them a gradient is wanted; None is returned for the others.
        grads: of the outputs.
    """
    create_graph = torch.is_grad_enabled()
    device = "cuda" if inputs[0].is_cuda else "cpu"
    with torch.enable_grad(), torch.autocast(device, enabled=False):  # as the forward was
        apart = [x.view_as(x) for x in inputs]  # an input that is given twice has two gradients
        outputs = twin(*apart)
        wanted = [x for x, need in zip(apart, needed, strict=True) if need]
        found = iter(torch.autograd.grad(outputs, wanted, grads, create_graph=create_graph, allow_unused=True))
    return tuple(next(found) if need else None for need in needed)


def has_values(value: Tensor) -> bool:
    """Whether a tensor's numbers can be read now, so that an error can depend on them."""
    return not (value.is_meta or isinstance(value, FakeTensor) or _is_transformed())


def is_autocast(like: object) -> bool:
    """Whether autocast is on for the device of a tensor."""
    return isinstance(like, Tensor) and torch.is_autocast_enabled("cuda" if like.is_cuda else "cpu")


def in_float32(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function outside of autocast, with half-precision tensors in float32, as autocast calls losses."""
    device = next("cuda" if x.is_cuda else "cpu" for x in arguments if isinstance(x, Tensor))
    with torch.autocast(device, enabled=False):
        return function(*map(_widened, arguments))


def _widened(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_widened(x) for x in value]
    return value.float() if isinstance(value, Tensor) and value.dtype in _HALF else value


def is_function_transformed() -> bool:
    """Whether a transform of ``torch.func`` or forward-mode AD is under way, with a compiler or without."""
    return torch._C._functorch.peek_interpreter_stack() is not None or forward_ad._current_level >= 0


def _is_transformed() -> bool:
    """Whether PyTorch transforms or records what this thread does."""
    return (
        torch._C._len_torch_dispatch_stack() > 0
        or is_function_transformed()
        or torch._C._get_tracing_state() is not None
        or (torch._C._len_torch_function_stack() > 0 and _has_function_mode())
    )


def _has_function_mode() -> bool:
    """Whether there is a mode other than that of ``torch.set_default_device``, which changes new tensors alone."""
    return any(type(mode) is not DeviceContext for mode in _get_current_function_mode_stack())
