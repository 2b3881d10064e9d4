"""Runs pyqmix's kernels, and no other, on small shapes: what compute-sanitizer watches.

    compute-sanitizer --tool memcheck python -P tests/cuda/small_cases.py [out-of-bounds|uninitialised]

With a fault named, one that the tool must see is planted. Inputs are made on the CPU and copied.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import Tensor

from pyqmix import _C, ops
from pyqmix.ops.linear import _backward as linear_backward

SHAPES = ((0, 2, 32, 5), (1, 1, 1, 1), (5, 3, 33, 6), (40, 2, 32, 6), (9, 27, 32, 36), (3, 34, 132, 2))
DTYPES = (torch.float32, torch.float64, torch.bfloat16)


def make_inputs(rows: int, n: int, embed: int, dtype: torch.dtype) -> list[Tensor]:
    """Draw on the CPU what mix takes."""
    random = torch.Generator().manual_seed(rows + n + embed)
    shapes = ((rows, n), (rows, n * embed), (rows, embed), (rows, embed), (rows,))
    return [torch.randn(shape, generator=random, dtype=torch.float64).to(dtype) for shape in shapes]


def make_target(rows: int, n: int, embed: int, n_actions: int, dtype: torch.dtype) -> list[Any]:
    """Draw on the CPU what td_target takes."""
    agent_qs, *weights = make_inputs(rows, n, embed, dtype)
    next_qs = agent_qs.unsqueeze(-1) * torch.arange(n_actions).sub(1).to(dtype)
    avail = torch.arange(rows * n * n_actions).view(rows, n, n_actions) % 3 != 1
    avail[..., 0] = True
    return [next_qs, avail, weights[3].clone(), torch.arange(rows) % 4 == 1, 0.9, *weights, -next_qs]


def on(device: str, values: list[Any]) -> list[Any]:
    """Copy the tensors among some values."""
    return [x.to(device) if isinstance(x, Tensor) else x for x in values]


def run_case(device: str, rows: int, n: int, embed: int, n_actions: int, dtype: torch.dtype) -> None:
    """Run forward, backward and target, and read what they wrote."""
    inputs = on(device, make_inputs(rows, n, embed, dtype))
    q_tot = torch.ops.pyqmix.mix(*inputs)
    grads = torch.ops.pyqmix.mix_backward(q_tot, *inputs)
    target = ops.td_target(*on(device, make_target(rows, n, embed, n_actions, dtype)))
    results = [q_tot, *grads, target]
    if dtype != torch.bfloat16:
        results += around_products(device, rows, embed, dtype)
    for result in results:
        assert not result.cpu().isnan().any()
    ops.raise_late_errors()


def around_products(device: str, rows: int, width: int, dtype: torch.dtype) -> list[Tensor]:
    """Run what surrounds a layer's products, a step of Adam, and the laying out of two episodes."""
    shapes = ((rows, width), (rows, width), (width,))
    values, grad, bias = on(device, [torch.randn(*shape, dtype=dtype) for shape in shapes])
    results = [values]
    if device == "cuda":
        _C.bias_relu_cuda(values, bias, width // 2, torch.cuda.current_stream().cuda_stream)
        results += linear_backward(grad, values, bias, width // 2)
    blocks = on(device, [torch.ones(width * 7, dtype=dtype) for _ in range(4)])
    scalars = on(device, [torch.tensor(2.0), torch.tensor(0.1)]) if device == "cuda" else [2, 0.1]
    results.append(ops.adam(*blocks, *scalars, max_norm=1.0))
    points, steps = torch.ones(2, 4, 3, 5, dtype=dtype), torch.ones(2, 3, 7, dtype=torch.bool)
    lengths, points, steps = on(device, [torch.tensor([1, 3]), points, steps])
    padded = ops.pad_episodes(lengths, [points], [points], [steps])
    return [*results, *blocks, *padded.points, *padded.next_points, *padded.steps, padded.real]


class FarRows:
    """A tensor that claims rows beyond its memory."""

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tensor, name)

    def stride(self, dim: int) -> int:
        """Return a step to a row that is not there."""
        return 1 << 18


def plant(device: str, fault: str) -> None:
    """Read beyond an input's end, or what was never written."""
    agent_qs, w1, b1, w_final, v = on(device, make_inputs(40, 2, 32, torch.float32))
    if fault == "out-of-bounds":
        w1 = FarRows(w1)
    elif fault == "uninitialised":
        w1 = torch.empty_like(w1)
    else:
        sys.exit(f"small_cases.py: expected out-of-bounds or uninitialised, got {fault!r}")
    q_tot = torch.empty(40, device=device)
    stream = torch.cuda.current_stream().cuda_stream
    _C.mix_forward_cuda((agent_qs, w1, b1, w_final, v.unsqueeze(1)), q_tot, stream)
    print(q_tot.cpu())


def main(device: str = "cuda") -> None:
    """Run every shape in every dtype, or plant a fault."""
    for fault in sys.argv[1:]:
        plant(device, fault)
        return
    for shape in SHAPES:
        for dtype in DTYPES:
            run_case(device, *shape, dtype)
    print(f"{len(SHAPES) * len(DTYPES)} cases")


if __name__ == "__main__":
    main()
