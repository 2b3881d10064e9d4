"""How far is float32 mixing from the truth? Ours and eager PyTorch against float64, on the same inputs.

For the value and each gradient: the relative error in the L2 and in the largest-element norm, the worst over
seeds, and the ratio ours / eager. Points within 1e-6 of a kink (of the ELU or an absolute value) are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from pyqmix import ops
from pyqmix.ops import reference

NAMES = ("q_tot", "agent_qs", "w1", "b1", "w_final", "v")
NORMS = (2, float("inf"))
KINK = 1e-6
SMALLEST_NORMAL = torch.finfo(torch.float32).tiny
STRIDE = 61


def make_inputs(rows: int, n: int, embed: int, scale: float, seed: int) -> list[Tensor]:
    """Draw float32 inputs whose exact values are clear of every kink."""
    random = torch.Generator().manual_seed(seed)
    shapes = ((rows, n), (rows, n * embed), (rows, embed), (rows, embed), (rows,))
    inputs = [torch.randn(shape, generator=random) * scale for shape in shapes]
    qs, w1, b1, w_final, _ = (x.double() for x in inputs)
    hidden = (qs.unsqueeze(1) @ w1.abs().view(rows, n, embed)).squeeze(1) + b1
    clear = torch.cat([hidden, w1, w_final], dim=1).abs().min(1).values > KINK
    return [x[clear] for x in inputs]


def value_and_grads(mix: Callable[..., Tensor], inputs: Sequence[Tensor]) -> list[Tensor]:
    """Return q_tot and its sum's gradients."""
    leaves = [x.detach().clone().requires_grad_() for x in inputs]
    q_tot = mix(*leaves)
    return [q_tot.detach(), *torch.autograd.grad(q_tot.sum(), leaves)]


def errors(inputs: Sequence[Tensor]) -> Iterator[tuple[str, float, float, float]]:
    """Yield (name, norm, our relative error, eager's) for the value and each gradient."""
    truth = value_and_grads(reference.mix, [x.double() for x in inputs])
    ours, eager = value_and_grads(ops.mix, inputs), value_and_grads(reference.mix, inputs)
    for name, a, b, t in zip(NAMES, ours, eager, truth, strict=True):
        for norm in NORMS:
            size = torch.linalg.vector_norm(t, norm)
            yield (
                name,
                norm,
                float(torch.linalg.vector_norm(a - t, norm) / size),
                float(torch.linalg.vector_norm(b - t, norm) / size),
            )


def elu_ulps(bits: Tensor) -> tuple[float, float]:
    """Largest errors of the fused ELU and of its slope, in units in the last place of the true value,
    where that is a normal number.

    Args:
        bits: (K,) int32, the bit patterns of the float32 numbers to try; K a multiple of 32.
    """
    x = bits.view(torch.float32).view(-1, 32)
    zero, one = torch.zeros(len(x), 1), torch.ones(len(x), 32)
    leaves = [y.requires_grad_() for y in (zero, torch.zeros_like(x), x.clone(), one, torch.zeros(len(x)))]
    # With q = 0 and |w_final| = 1 the gradients of w_final and b1 are the ELU and its slope.
    _, _, slope, value, _ = torch.autograd.grad(ops.mix(*leaves).sum(), leaves)
    exact = x.double()
    worst = []
    for ours, truth in ((value, exact.expm1()), (slope, exact.exp())):
        unit = torch.exp2(truth.abs().clamp(min=SMALLEST_NORMAL).log2().floor() - 23)
        ulps = (ours.double() - truth).abs() / unit
        worst.append(float(torch.where(truth.abs() >= SMALLEST_NORMAL, ulps, 0.0).max()))
    return worst[0], worst[1]


def every_negative_float(stride: int = 1) -> Iterator[Tensor]:
    """Yield the bit patterns of all finite float32 numbers below zero (or every stride-th), in parts."""
    first, last, part = -(2**31) + 1, -(2**23) - 1, 2**24
    for low in range(first, last + 1, part * stride):
        bits = torch.arange(low, min(low + part * stride, last + 1), stride, dtype=torch.int64)
        yield bits[: len(bits) // 32 * 32].to(torch.int32)


def main() -> None:
    """Print the worst errors over seeds, scales and shapes."""
    worst: dict[tuple[str, float], list[float]] = {}
    for n in (1, 2, 4, 8, 10, 27):
        for scale in (0.05, 0.3, 1.0, 3.0):
            for seed in range(5):
                for name, norm, ours, eager in errors(make_inputs(1600, n, 32, scale, seed)):
                    entry = worst.setdefault((name, norm), [0.0, 0.0, 0.0])
                    ratio = ours / eager if eager else float(ours > 0)
                    entry[:] = max(entry[0], ours), max(entry[1], eager), max(entry[2], ratio)
    ulps = [elu_ulps(bits) for bits in every_negative_float(STRIDE)]
    value, slope = (max(column) for column in zip(*ulps, strict=True))
    print(
        f"ELU, every {STRIDE}st finite float32 below zero: value errs by {value:.2f} ulp, slope by {slope:.2f} ulp"
    )
    print("value or gradient   norm   worst ours   worst eager   largest ours/eager on one input")
    for (name, norm), (ours, eager, ratio) in worst.items():
        print(f"{name:<18}  {'L2 ' if norm == 2 else 'max'}    {ours:.2e}     {eager:.2e}      {ratio:.2f}")
