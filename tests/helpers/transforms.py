"""What PyTorch can do to a function: each maps a function of tensors, and tensors, to results to compare."""

from __future__ import annotations

import copy
import pickle

import torch
from torch import nn
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode


def leaves(tensors):
    return [x.detach().clone().requires_grad_(x.is_floating_point()) for x in tensors]


def with_gradients(function, tensors):
    """The value, and the gradients with respect to all tensors: zeros where there is none."""
    inputs = leaves(tensors)
    out = function(*inputs)
    if not out.requires_grad:
        return [out]
    out.square().sum().backward()
    return [out, *(torch.zeros_like(x) if x.grad is None else x.grad for x in inputs)]


def others(tensors):
    """Other values of the same shapes, at which something that was recorded is run."""
    return [x * 0.5 + 0.1 if x.is_floating_point() else x for x in tensors]


class _Called(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *tensors):
        return self.function(*tensors)


def _compiled(function, tensors):
    torch.compiler.reset()
    return with_gradients(torch.compile(function, backend="aot_eager", dynamic=True), tensors)


def _exported(function, tensors):
    return [torch.export.export(_Called(function), tuple(tensors)).module()(*others(tensors))]


def _traced(function, tensors):
    inner = getattr(function, "inner", None)
    if inner is None:
        return with_gradients(torch.jit.trace(function, tuple(tensors), check_trace=False), others(tensors))
    module, count = inner
    traced = torch.jit.trace(module, tuple(tensors[:count]), check_trace=False)
    return with_gradients(traced, others(tensors[:count]))


def _made_fx(function, tensors):
    return with_gradients(make_fx(function)(*tensors), others(tensors))


def _fake_fx(function, tensors):
    return [make_fx(function, tracing_mode="fake", _allow_non_fake_inputs=True)(*tensors)(*others(tensors))]


def _vmap(function, tensors):
    first = torch.stack([tensors[0], tensors[0] * 0.5 + 0.1, -tensors[0]], 1)
    return [torch.vmap(function, (1, *[None] * (len(tensors) - 1)))(first, *tensors[1:])]


def _ensemble(function, tensors):
    return [torch.vmap(function)(*(torch.stack([x, y]) for x, y in zip(tensors, others(tensors), strict=True)))]


def _grad(function, tensors):
    numbers = tuple(k for k, x in enumerate(tensors) if x.is_floating_point())
    return list(torch.func.grad(lambda *x: function(*x).square().sum(), argnums=numbers)(*tensors))


def _jacrev(function, tensors):
    return [torch.func.jacrev(function)(*tensors)]


def _jacfwd(function, tensors):
    return [torch.func.jacfwd(function)(*tensors)]


def _hessian(function, tensors):
    return [torch.func.hessian(lambda *x: function(*x).square().sum())(*tensors)]


def _tangents(tensors):
    return [torch.ones_like(x) * 0.3 for x in tensors]


def _jvp(function, tensors):
    numbers = [x for x in tensors if x.is_floating_point()]

    def of_numbers(*values):
        left = iter(values)
        return function(*(next(left) if x.is_floating_point() else x for x in tensors))

    return list(torch.func.jvp(of_numbers, tuple(numbers), tuple(_tangents(numbers))))


def _dual(function, tensors):
    with forward_ad.dual_level():
        out = forward_ad.unpack_dual(function(forward_ad.make_dual(tensors[0], tensors[0] * 0.3), *tensors[1:]))
        return [out.primal, torch.zeros_like(out.primal) if out.tangent is None else out.tangent]


def _forward_jacobian(function, tensors):
    at_first = lambda x: function(x, *tensors[1:])  # noqa: E731
    return [torch.autograd.functional.jacobian(at_first, tensors[0], strategy="forward-mode", vectorize=True)]


def _second(function, tensors):
    inputs = leaves(tensors)
    out = function(*inputs)
    if not out.requires_grad:
        return [out]
    first = torch.autograd.grad(out.square().sum(), inputs, create_graph=True, allow_unused=True)
    total = sum(g.square().sum() for g in first if g is not None)
    second = torch.autograd.grad(total, inputs, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for x, g in zip(inputs, second, strict=True)]


def _batched(function, tensors):
    inputs = leaves(tensors)
    out = function(*inputs)
    if not out.requires_grad:
        return [out]
    directions = torch.stack([torch.ones_like(out), torch.arange(1.0, 1 + out.numel()).view_as(out).to(out)])
    grads = torch.autograd.grad(out, inputs, directions, is_grads_batched=True, allow_unused=True)
    return [g for g in grads if g is not None]


def _checkpointed(reentrant):
    return lambda function, tensors: with_gradients(
        lambda *x: checkpoint(function, *x, use_reentrant=reentrant), tensors
    )


def _saved_elsewhere(function, tensors):
    with torch.autograd.graph.save_on_cpu():
        return with_gradients(function, tensors)


def _inference(function, tensors):
    with torch.inference_mode():
        return [function(*tensors)]


def _default_device(function, tensors):
    torch.set_default_device("meta")
    try:
        return with_gradients(function, tensors)
    finally:
        torch.set_default_device(None)


def _meta(function, tensors):
    out = function(*(x.to("meta") for x in tensors))
    assert out.is_meta
    return [torch.empty(out.shape, dtype=out.dtype).zero_()]


def _flops(function, tensors):
    with FlopCounterMode(display=False) as counter:
        with_gradients(function, tensors)
    return [torch.tensor(counter.get_total_flops())]


class _Functions(TorchFunctionMode):
    calls = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.calls += 1
        return func(*args, **(kwargs or {}))


class _Dispatches(TorchDispatchMode):
    calls = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.calls += 1
        return func(*args, **(kwargs or {}))


def _under(mode):
    def run(function, tensors):
        with mode() as seen:
            results = with_gradients(function, tensors)
        assert seen.calls > 0
        return results

    return run


class _Subclass(torch.Tensor):
    pass


def _subclassed(function, tensors):
    return [
        x.as_subclass(torch.Tensor)
        for x in with_gradients(lambda *x: function(*(y.as_subclass(_Subclass) for y in x)), tensors)
    ]


TRANSFORMS = {
    "backward twice differentiable": _second,
    "`is_grads_batched`": _batched,
    "`func.grad`": _grad,
    "`func.jacrev`": _jacrev,
    "`func.jacfwd`": _jacfwd,
    "`func.hessian`": _hessian,
    "`func.jvp`": _jvp,
    "dual tensors": _dual,
    "forward-mode Jacobian": _forward_jacobian,
    "`vmap` of the first argument": _vmap,
    "`vmap` of all": _ensemble,
    "`compile`, dynamic shapes": _compiled,
    "`export`": _exported,
    "`jit.trace`": _traced,
    "`make_fx`": _made_fx,
    "`make_fx`, fake tensors": _fake_fx,
    "meta tensors": _meta,
    "default device meta": _default_device,
    "function mode": _under(_Functions),
    "dispatch mode": _under(_Dispatches),
    "`FlopCounterMode`": _flops,
    "tensor subclass": _subclassed,
    "`inference_mode`": _inference,
    "`checkpoint`": _checkpointed(False),
    "`checkpoint`, reentrant": _checkpointed(True),
    "`save_on_cpu`": _saved_elsewhere,
}
SLOW = ["`compile`, dynamic shapes", "`export`", "`make_fx`", "`make_fx`, fake tensors"]


def copied(module):
    return copy.deepcopy(module)


def pickled(module):
    return pickle.loads(pickle.dumps(module))
