"""The operations on a GPU give what they give on the CPU."""

import pytest
import torch

from pyqmix import _C, ops

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(
        not torch.cuda.is_available() or not hasattr(_C, "mix_forward_cuda"),
        reason="needs an NVIDIA GPU and a build with CUDA kernels",
    ),
]


def inputs(rows, n, embed):
    random = torch.Generator().manual_seed(0)
    shapes = ((rows, n), (rows, n * embed), (rows, embed), (rows, embed), (rows,))
    return [torch.randn(shape, generator=random, dtype=torch.float64) for shape in shapes]


def value_and_grads(tensors):
    leaves = [x.detach().clone().requires_grad_() for x in tensors]
    q_tot = ops.mix(*leaves)
    return [q_tot.detach(), *torch.autograd.grad(q_tot.sum(), leaves)]


@pytest.mark.parametrize(("rows", "n", "embed"), [(0, 2, 32), (1, 1, 1), (1000, 5, 33)])
def test_mix_on_a_side_stream_equals_the_cpu(rows, n, embed):
    tensors = inputs(rows, n, embed)
    with torch.cuda.stream(torch.cuda.Stream()):
        ours = value_and_grads([x.cuda() for x in tensors])
        torch.cuda.current_stream().synchronize()
    for a, b in zip(ours, value_and_grads(tensors), strict=True):
        torch.testing.assert_close(a.cpu(), b, rtol=1e-11, atol=1e-11)


def test_td_target_equals_the_cpu():
    _, w1, b1, w_final, v = inputs(50, 3, 8)
    next_qs = torch.randn(50, 3, 4, dtype=torch.float64)
    avail = torch.ones(50, 3, 4, dtype=torch.bool)
    arguments = [next_qs, avail, v.clone(), torch.arange(50) % 3 == 0, 0.9, w1, b1, w_final, v]
    moved = [x.cuda() if isinstance(x, torch.Tensor) else x for x in arguments]
    torch.testing.assert_close(ops.td_target(*moved).cpu(), ops.td_target(*arguments), rtol=1e-11, atol=1e-11)
