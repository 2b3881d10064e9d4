"""The fused one-step target: masked maximum, double-Q, mixing and bootstrapping in one pass."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from pyqmix import _C
from pyqmix.base.kernel_threads import kernel_threads
from pyqmix.ops import reference
from pyqmix.ops.backend import wants_reference
from pyqmix.ops.checks import as_rows, check_floating, check_tensor, require_cuda_kernels
from pyqmix.ops.eager import can_launch, in_float32, is_autocast, is_plain
from pyqmix.ops.errors import NoAvailableActionError, unravel
from pyqmix.ops.flops import register_products
from pyqmix.ops.late_errors import missing_action_cell, note_missing_action
from pyqmix.ops.mixing import Five, check_mixer_weights, mix_rows
from pyqmix.ops.operators import call_kernel, register_transforms

MixerWeights = tuple[Tensor, Tensor, Tensor, Tensor]  # w1, b1, w_final, v


class TargetInputs(NamedTuple):
    """Inputs of the one-step target that do not depend on the mixer, as :func:`td_target` documents them."""

    next_qs: Tensor
    avail: Tensor
    rewards: Tensor
    terminated: Tensor
    gamma: float
    online_next_qs: Tensor | None = None

    def tensors(self) -> list[Tensor]:
        """Return those that are given."""
        return [x for x in self if isinstance(x, Tensor)]


def td_target(
    next_qs: Tensor,
    avail: Tensor,
    rewards: Tensor,
    terminated: Tensor,
    gamma: float,
    w1: Tensor,
    b1: Tensor,
    w_final: Tensor,
    v: Tensor,
    online_next_qs: Tensor | None = None,
) -> Tensor:
    """Compute ``y = r + γ (1 − terminated) max over joint actions of q_tot(s', ·)``.

    The mixer is monotone in every agent's value, so each agent's own maximum over its available actions
    gives the joint maximum: n·A work in place of Aⁿ. A terminated step has y = r and reads nothing else,
    whatever it holds (NaN included).

    Args:
        next_qs: (..., n, A) float32 or float64, on a GPU bfloat16 too (computed in float32), values by the
            target network at o'.
        avail: (..., n, A) bool, the actions available at o'.
        rewards: (...), the team's rewards.
        terminated: (...) bool, True where the environment ended by itself (not by a time limit).
        gamma: the discount.
        w1: (..., n*E), the target mixer's first-layer weights at s', before the absolute value.
        b1: (..., E), its first-layer bias; the last dimension tells E.
        w_final: (..., E), its second-layer weights, before the absolute value.
        v: (...), its second-layer bias.
        online_next_qs: (..., n, A), values by the online network at o'. When given they choose the
            actions and next_qs rates them (double-Q).

    Returns:
        (...) the target, of next_qs' dtype and device. No gradient flows through it.

    Raises:
        TypeError: an argument is no tensor or of the wrong dtype, or gamma is no finite number.
        ValueError: a shape or device does not fit.
        NoAvailableActionError: an agent of a step that is not terminated has no available action. On a GPU,
            which is not waited for, a later call raises it, or :func:`pyqmix.ops.raise_late_errors`; that
            step's target is NaN. NaN is also all there is where values cannot be read, as under ``torch.vmap``.

    Source: Rashid et al., arXiv:1803.11485, equation 6; double-Q: van Hasselt et al., arXiv:1509.06461.
    """
    inputs = TargetInputs(next_qs, avail, rewards, terminated, gamma, online_next_qs)
    weights = (w1, b1, w_final, v)
    if is_autocast(next_qs):
        return in_float32(td_target, *inputs[:5], *weights, online_next_qs)
    _check_inputs(inputs, weights)
    with torch.no_grad():
        if torch.compiler.is_compiling():
            return cast(Tensor, torch.ops.pyqmix.td_target(*inputs[:5], *weights, online_next_qs))
        if can_launch(*inputs.tensors(), *weights):
            return (_td_target_cuda if next_qs.is_cuda else _td_target_cpu)(inputs, weights)
        return reference.td_target(*inputs[:5], *weights, online_next_qs)


def greedy_next_qs(
    next_qs: Tensor, avail: Tensor, terminated: Tensor, online_next_qs: Tensor | None = None
) -> Tensor:
    """Take each agent's value of its greedy available action: :func:`pyqmix.ops.reference.greedy_next_qs`.

    On a GPU, which is not waited for, the value of an agent without an available action is NaN, and a later
    :func:`pyqmix.ops.raise_late_errors` names it.
    """
    if wants_reference() or not (next_qs.is_cuda and is_plain(next_qs, avail, terminated)):
        return reference.greedy_next_qs(next_qs, avail, terminated, online_next_qs)
    return _greedy_unwaited(next_qs, avail, terminated, online_next_qs)


@torch.no_grad()
def _greedy_unwaited(next_qs: Tensor, avail: Tensor, terminated: Tensor, online_next_qs: Tensor | None) -> Tensor:
    missing = reference.has_no_action(avail, terminated)
    note_missing_action(missing)
    return reference.choose_next_qs(next_qs, avail, terminated, online_next_qs).masked_fill(missing, torch.nan)


def _check_inputs(inputs: TargetInputs, weights: MixerWeights) -> None:
    check_td_inputs(inputs)
    next_qs, b1 = inputs.next_qs, weights[1]
    check_floating("b1", b1, 1, "(..., E)", bfloat16=True)
    check_mixer_weights(tuple(next_qs.shape[:-2]), next_qs.shape[-2], next_qs.dtype, next_qs.device, *weights)


def check_td_inputs(inputs: TargetInputs) -> None:
    """Raise as :func:`td_target` documents it, the mixer's weights aside."""
    check_floating("next_qs", inputs.next_qs, 2, "(..., n, A)", bfloat16=True)
    shape, dtype, device = tuple(inputs.next_qs.shape), inputs.next_qs.dtype, inputs.next_qs.device
    check_tensor("avail", inputs.avail, shape, torch.bool, device)
    check_tensor("rewards", inputs.rewards, shape[:-2], dtype, device)
    check_tensor("terminated", inputs.terminated, shape[:-2], torch.bool, device)
    if inputs.online_next_qs is not None:
        check_tensor("online_next_qs", inputs.online_next_qs, shape, dtype, device)
    if not isinstance(inputs.gamma, (int, float)) or not -math.inf < inputs.gamma < math.inf:
        raise TypeError(f"gamma: expected a finite number, got {inputs.gamma!r}")


def run_td_target(inputs: TargetInputs, kernel: Callable[[_C.TargetTensors], int | None]) -> Tensor:
    """Hand checked tensors to a kernel of the extension, and name the agent without an available action.

    Raises:
        NoAvailableActionError: the kernel found one.
    """
    next_qs, avail, rewards, terminated, gamma, online_next_qs = inputs
    *lead, n_agents, n_actions = next_qs.shape
    rows, width = rewards.numel(), n_agents * n_actions
    chosen = torch.empty((rows, n_agents), dtype=next_qs.dtype, device=next_qs.device)
    y = torch.empty(rewards.shape, dtype=next_qs.dtype, device=next_qs.device)
    tensors = (
        as_rows(next_qs, rows, width),
        None if online_next_qs is None else as_rows(online_next_qs, rows, width),
        as_rows(avail, rows, width),
        as_rows(rewards, rows, 1),
        as_rows(terminated, rows, 1),
        float(gamma),
        chosen,
        y,
    )
    found = kernel(tensors)
    if found is not None and found >= 0:
        row, agent = divmod(found, n_agents)
        raise NoAvailableActionError(unravel(row, lead), agent)
    return y


def _td_target_cpu(inputs: TargetInputs, weights: MixerWeights) -> Tensor:
    mixer = _mixer_rows(inputs, weights)
    return run_td_target(inputs, lambda tensors: _C.td_target_cpu(mixer, tensors, kernel_threads()))


def _td_target_cuda(inputs: TargetInputs, weights: MixerWeights) -> Tensor:
    require_cuda_kernels()
    device = inputs.next_qs.device
    *lead, n_agents, _ = inputs.next_qs.shape
    cell = missing_action_cell(device, lead, n_agents)
    with torch.cuda.device(device):
        mixer = _mixer_rows(inputs, weights)
        stream = torch.cuda.current_stream().cuda_stream
        return run_td_target(inputs, lambda tensors: _C.td_target_cuda(mixer, tensors, cell, stream))


def _mixer_rows(inputs: TargetInputs, weights: MixerWeights) -> Five:
    """View the mixer's weights as rows; the values that it mixes are the kernel's own."""
    unread = inputs.next_qs.new_empty(*inputs.rewards.shape, inputs.next_qs.shape[-2])
    return mix_rows(unread, *weights)


def _by_name(kernel: Callable[[TargetInputs, MixerWeights], Tensor]) -> Callable[..., Tensor]:
    """Let whoever calls torch.ops.pyqmix.td_target pass the checks of :func:`td_target`."""

    return lambda *arguments: kernel(*_checked(*arguments))


def _checked(*arguments: Any) -> tuple[TargetInputs, MixerWeights]:
    next_qs, avail, rewards, terminated, gamma, w1, b1, w_final, v, online_next_qs = arguments
    inputs = TargetInputs(next_qs, avail, rewards, terminated, gamma, online_next_qs)
    _check_inputs(inputs, (w1, b1, w_final, v))
    return inputs, (w1, b1, w_final, v)


_library = torch.library.Library("pyqmix", "FRAGMENT")
_library.define(
    "td_target(Tensor next_qs, Tensor avail, Tensor rewards, Tensor terminated, float gamma, "
    "Tensor w1, Tensor b1, Tensor w_final, Tensor v, Tensor? online_next_qs) -> Tensor"
)
_library.impl("td_target", _by_name(_td_target_cpu), "CPU")
_library.impl("td_target", _by_name(_td_target_cuda), "CUDA")


@torch.library.register_fake("pyqmix::td_target", lib=_library)  # type: ignore[untyped-decorator]
def _td_target_fake(*arguments: Any) -> Tensor:
    inputs, _ = _checked(*arguments)
    return torch.empty_like(inputs.rewards, memory_format=torch.contiguous_format)


register_transforms("td_target", reference.td_target, _library, partial(call_kernel, "td_target"))
register_products("td_target", 5)
