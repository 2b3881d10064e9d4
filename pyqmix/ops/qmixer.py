"""The whole mixing network, hypernetworks included, in one pass over tiles that stay in cache."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

import torch
from torch import Tensor

from pyqmix import _C
from pyqmix.base.kernel_threads import kernel_threads
from pyqmix.ops import reference
from pyqmix.ops.checks import as_rows, check_floating, check_tensor, readable
from pyqmix.ops.eager import can_launch_backward, can_launch_on_cpu, composed_gradients, in_float32, is_autocast
from pyqmix.ops.mixing import mix
from pyqmix.ops.target import TargetInputs, check_td_inputs, run_td_target, td_target

Parameters = Sequence[Tensor]


def qmixer(agent_qs: Tensor, states: Tensor, parameters: Parameters) -> Tensor:
    """Mix the agents' values under the states, by the mixing network with these parameters.

    One kernel on the CPU, outside of torch.compile and without a gradient for the states; everywhere else linear
    layers and :func:`pyqmix.ops.mix`.

    Args:
        agent_qs: (..., n) float32 or float64, the agents' values.
        states: (..., S), the global states.
        parameters: weights and biases in the order of ``QMixer.parameters()``: of hyper_w_1 (H, S), (H,),
            (n*E, H), (n*E,); hyper_b_1 (E, S), (E,); hyper_w_final (H, S), (H,), (E, H), (E,); V (E, S), (E,),
            (1, E), (1,). With hypernetworks of one layer hyper_w_1 is (n*E, S), (n*E,) and hyper_w_final
            (E, S), (E,).

    Returns:
        (...) q_tot, under autocast of float32. Gradients flow to all tensors.

    Raises:
        TypeError: an argument is no tensor, or its dtype is not float32, float64 or differs from agent_qs'.
        ValueError: a shape or device does not fit.

    Source: Rashid et al., arXiv:1803.11485, section 4.1.
    """
    if is_autocast(agent_qs):
        return in_float32(qmixer, agent_qs, states, parameters)
    check_floating("agent_qs", agent_qs, 1, "(..., n)")
    _check_network(tuple(agent_qs.shape[:-1]), agent_qs.shape[-1], agent_qs, states, parameters)
    if not can_fuse(agent_qs, states, parameters):
        return mix(agent_qs, *reference.hypernetworks(states, parameters))
    if _wants_gradients(agent_qs, parameters):
        return cast(Tensor, _QMixer.apply(agent_qs, states, *parameters))  # type: ignore[no-untyped-call]
    q_tot = agent_qs.new_empty(agent_qs.shape[:-1])
    _C.qmixer_forward_cpu(_network(agent_qs, states, parameters), q_tot, False, kernel_threads())
    return q_tot


def qmixer_loss(
    agent_qs: Tensor, states: Tensor, parameters: Parameters, targets: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Compute the weighted squared error of :func:`qmixer`, and in the same pass its gradients.

    Each tile's backward follows its forward while the tile lies in cache, and nothing is kept for later.

    Args:
        agent_qs: (..., n), as for :func:`qmixer`.
        states: (..., S), likewise.
        parameters: likewise.
        targets: (...), what q_tot should be.
        weights: (...), each row's weight in the loss.

    Returns:
        The loss, the sum of ``weights * (targets - q_tot)**2``, a scalar; and (...) q_tot, detached.
        Gradients flow from the loss to all but targets and weights.

    Raises:
        TypeError, ValueError: as :func:`qmixer`; or targets or weights are not of q_tot's shape and dtype.

    Source: Rashid et al., arXiv:1803.11485, equation 6, here with a weight for each row.
    """
    if is_autocast(agent_qs):
        return in_float32(qmixer_loss, agent_qs, states, parameters, targets, weights)
    check_floating("agent_qs", agent_qs, 1, "(..., n)")
    lead = tuple(agent_qs.shape[:-1])
    _check_network(lead, agent_qs.shape[-1], agent_qs, states, parameters)
    check_tensor("targets", targets, lead, agent_qs.dtype, agent_qs.device)
    check_tensor("weights", weights, lead, agent_qs.dtype, agent_qs.device)
    targets, weights = targets.detach(), weights.detach()
    fused = can_fuse(agent_qs, states, parameters) and can_launch_on_cpu(targets, weights)
    if fused and _wants_gradients(agent_qs, parameters):
        return cast(
            tuple[Tensor, Tensor],
            _QMixerLoss.apply(agent_qs, states, targets, weights, *parameters),  # type: ignore[no-untyped-call]
        )
    q_tot = qmixer(agent_qs, states, parameters)
    return (weights * (targets - q_tot).square()).sum(), q_tot.detach()


def qmixer_td_target(
    next_qs: Tensor,
    avail: Tensor,
    rewards: Tensor,
    terminated: Tensor,
    gamma: float,
    next_states: Tensor,
    parameters: Parameters,
    online_next_qs: Tensor | None = None,
) -> Tensor:
    """Compute :func:`pyqmix.ops.td_target` with the mixing network of :func:`qmixer` as the target mixer.

    Args:
        next_qs, avail, rewards, terminated, gamma, online_next_qs: as :func:`pyqmix.ops.td_target`.
        next_states: (..., S), the states s'.
        parameters: the target mixer's, as :func:`qmixer`.

    Returns:
        (...) the target. No gradient flows through it.

    Raises:
        TypeError, ValueError, NoAvailableActionError: as :func:`pyqmix.ops.td_target` and :func:`qmixer`.
    """
    inputs = TargetInputs(next_qs, avail, rewards, terminated, gamma, online_next_qs)
    if is_autocast(next_qs):
        return in_float32(qmixer_td_target, *inputs[:5], next_states, parameters, online_next_qs)
    check_td_inputs(inputs)
    lead, n_agents = tuple(next_qs.shape[:-2]), next_qs.shape[-2]
    _check_network(lead, n_agents, next_qs, next_states, parameters)
    with torch.no_grad():
        if not can_launch_on_cpu(*inputs.tensors(), next_states, *parameters):
            return td_target(*inputs[:5], *reference.hypernetworks(next_states, parameters), online_next_qs)
        network = _network(next_qs.new_empty(0, n_agents), next_states, parameters)
        return run_td_target(inputs, lambda tensors: _C.qmixer_td_target_cpu(network, tensors, kernel_threads()))


def can_fuse(agent_qs: Tensor, states: Tensor, parameters: Parameters) -> bool:
    """Whether :func:`qmixer` is one kernel for these, shapes and dtypes aside."""
    if states.requires_grad and torch.is_grad_enabled():
        return False
    return can_launch_on_cpu(agent_qs, states, *parameters)


def _wants_gradients(agent_qs: Tensor, parameters: Parameters) -> bool:
    return torch.is_grad_enabled() and (agent_qs.requires_grad or any(p.requires_grad for p in parameters))


def _network(agent_qs: Tensor, states: Tensor, parameters: Parameters) -> _C.MixingNetwork:
    """Return the tensors as the extension reads them."""
    rows, n_agents = states.shape[:-1].numel(), agent_qs.shape[-1]
    qs = as_rows(agent_qs, rows if agent_qs.numel() else 0, n_agents)
    return qs, as_rows(states, rows, states.shape[-1]), [readable(p) for p in parameters]


class _QMixer(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, agent_qs: Tensor, states: Tensor, *parameters: Tensor) -> Tensor:
        ctx.network = _network(agent_qs, states, parameters)
        ctx.save_for_backward(agent_qs, states, *parameters)
        q_tot = agent_qs.new_empty(agent_qs.shape[:-1])
        ctx.activations = _C.qmixer_forward_cpu(ctx.network, q_tot, True, kernel_threads())
        return q_tot

    @staticmethod
    def backward(ctx: Any, grad_q_tot: Tensor) -> tuple[Tensor | None, ...]:
        saved, needed = ctx.saved_tensors, ctx.needs_input_grad  # the former raises if one of them was changed
        if not can_launch_backward(grad_q_tot):
            return composed_gradients(lambda q, s, *p: reference.qmixer(q, s, p), saved, needed, [grad_q_tot])
        agent_qs, _, *parameters = saved
        grad = as_rows(grad_q_tot, grad_q_tot.numel(), 1)
        grad_agent_qs = agent_qs.new_empty(agent_qs.shape)
        wanted = any(needed[2:])
        grads = [torch.empty_like(p) for p in ctx.network[2]] if wanted else []
        threads = kernel_threads()
        _C.qmixer_backward_cpu(ctx.network, ctx.activations, grad, grads, grad_agent_qs, threads)
        return (grad_agent_qs, None, *grads) if wanted else (grad_agent_qs, *[None] * (1 + len(parameters)))


class _QMixerLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, agent_qs: Tensor, states: Tensor, targets: Tensor, weights: Tensor, *parameters: Tensor
    ) -> tuple[Tensor, Tensor]:
        network = _network(agent_qs, states, parameters)
        q_tot = agent_qs.new_empty(agent_qs.shape[:-1])
        grad_agent_qs = agent_qs.new_empty(agent_qs.shape)
        grads = [torch.empty_like(p) for p in network[2]]
        error = (readable(targets), readable(weights), q_tot)
        loss = _C.qmixer_loss_cpu(network, *error, grads, grad_agent_qs, kernel_threads())
        ctx.save_for_backward(agent_qs, states, targets, weights, *parameters)
        ctx.grads = [grad_agent_qs, *grads]
        ctx.mark_non_differentiable(q_tot)
        return q_tot.new_tensor(loss), q_tot

    @staticmethod
    def backward(ctx: Any, grad_loss: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        grads = ctx.grads
        if grads is None or not can_launch_backward(grad_loss):
            return composed_gradients(_composed_loss, ctx.saved_tensors, ctx.needs_input_grad, [grad_loss])
        ctx.grads = None  # they are given out; a second backward computes them
        scale = float(grad_loss)
        if scale != 1.0:
            for grad in grads:
                grad.mul_(scale)
        grad_agent_qs, *rest = grads
        return (grad_agent_qs, None, None, None, *rest)


def _composed_loss(
    agent_qs: Tensor, states: Tensor, targets: Tensor, weights: Tensor, *parameters: Tensor
) -> Tensor:
    return reference.qmixer_loss(agent_qs, states, parameters, targets, weights)[0]


def _check_network(
    lead: tuple[int, ...], n_agents: int, qs: Tensor, states: Tensor, parameters: Parameters
) -> None:
    dtype, device = qs.dtype, qs.device
    check_floating("states", states, 1, "(..., S)")
    state_dim = states.shape[-1]
    check_tensor("states", states, (*lead, state_dim), dtype, device)
    if len(parameters) not in (10, 14):
        raise ValueError(f"parameters: expected 14, or 10 with hypernetworks of one layer, got {len(parameters)}")
    hypernet_dim = parameters[0].shape[0] if len(parameters) == 14 else 0
    shapes = _shapes(n_agents, state_dim, parameters[-4].shape[0], hypernet_dim)
    for k, (tensor, shape) in enumerate(zip(parameters, shapes, strict=True)):
        if tensor.dtype != dtype or tensor.shape != shape or tensor.device != device:
            check_tensor(_NAMES[len(parameters)][k], tensor, shape, dtype, device)


@lru_cache(maxsize=64)
def _shapes(n_agents: int, state_dim: int, embed: int, hyper: int) -> list[tuple[int, ...]]:
    """Shapes of the parameters; with hypernetworks of one layer ``hyper`` is 0."""
    weights = n_agents * embed
    if hyper == 0:
        layers = [(weights, state_dim), (embed, state_dim), (embed, state_dim)]
    else:
        layers = [(hyper, state_dim), (weights, hyper), (embed, state_dim), (hyper, state_dim), (embed, hyper)]
    layers += [(embed, state_dim), (1, embed)]
    return [shape for layer in layers for shape in (layer, layer[:1])]


def _names(*layers: str) -> list[str]:
    return [f"{layer}.{part}" for layer in layers for part in ("weight", "bias")]


_NAMES = {
    10: _names("hyper_w_1", "hyper_b_1", "hyper_w_final", "V.0", "V.2"),
    14: _names("hyper_w_1.0", "hyper_w_1.2", "hyper_b_1", "hyper_w_final.0", "hyper_w_final.2", "V.0", "V.2"),
}
