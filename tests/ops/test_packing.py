"""Episodes laid out without their padding: the kernel, and its twin, through which gradients flow."""

from dataclasses import astuple

import pytest
import torch

from pyqmix import ops
from pyqmix.ops import reference


def make(lengths=(2, 4, 1, 4), room=5):
    torch.manual_seed(0)
    points = [torch.randn(len(lengths), room + 1, 3), torch.randint(9, (len(lengths), room + 1, 2))]
    steps = [torch.randn(len(lengths), room), torch.rand(len(lengths), room) < 0.5]
    return torch.tensor(lengths), points, [torch.rand(len(lengths), room + 1, 4) < 0.5], steps


def flat(rows):
    points, next_points, steps, *rest = rows
    return [*points, *next_points, *steps, *rest]


@pytest.mark.parametrize("lengths", [(1,), (2, 4, 1, 4), (5, 5), (1, 1, 1)])
def test_the_kernel_equals_its_twin(lengths):
    counts, *tensors = make(lengths)
    ours, twins = ops.pack_episodes(counts, *tensors), reference.pack_episodes(list(lengths), *tensors)
    for got, expected in zip(flat(astuple(ours)), flat(twins), strict=True):
        assert torch.equal(got, expected)


def test_gradients_flow_through():
    lengths, points, next_points, steps = make()
    points[0].requires_grad_()
    ops.pack_episodes(lengths, points, next_points, steps).points[0].sum().backward()
    real = torch.arange(6).unsqueeze(0) <= lengths.unsqueeze(1)
    assert torch.equal(points[0].grad, real.unsqueeze(-1).expand(-1, -1, 3).float())


def test_rows_lie_where_the_episodes_do_whatever_the_default_device():
    inputs = make()
    expected = ops.pack_episodes(*inputs)
    with torch.device("meta"):
        got = ops.pack_episodes(*inputs)
    for ours, theirs in zip(flat(astuple(got)), flat(astuple(expected)), strict=True):
        assert torch.equal(ours, theirs)
