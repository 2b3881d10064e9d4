"""A step of Adam with clipping against torch's."""

import copy
import sys

import pytest
import torch
from gpu_stand_in import stand_in

from pyqmix import Config, ops
from pyqmix.learn.optimizer import BlockAdam, clipped_step, make_optimizer
from pyqmix.nn.flat import FlatParameters
from pyqmix.ops import reference


def make_blocks(size=1_003, dtype=torch.float64):
    torch.manual_seed(0)
    parameters, gradient, exp_avg, exp_avg_sq = torch.randn(4, size, dtype=dtype)
    return [parameters, gradient, exp_avg * 0.1, exp_avg_sq.square()]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("max_norm", [0.5, 1e9])
@pytest.mark.parametrize("size", [1, 16, 1_003])
def test_equals_the_reference(size, max_norm, dtype):
    ours, plain = make_blocks(size, dtype), make_blocks(size, dtype)
    norms = [
        op(*blocks, 3, 1e-2, (0.8, 0.95), 1e-3, max_norm=max_norm)
        for op, blocks in ((ops.adam, ours), (reference.adam, plain))
    ]
    for a, b in zip([*ours, norms[0]], [*plain, norms[1]], strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("max_norm", [0.5, 1e9])
def test_many_steps_equal_torchs(max_norm):
    flat = FlatParameters([torch.nn.Linear(7, 5).double()])
    twin = copy.deepcopy(flat)
    ours = make_optimizer(Config(), flat)
    assert isinstance(ours, BlockAdam)
    plain = torch.optim.Adam([twin.block], lr=Config().lr)
    for k in range(30):
        for each in (flat, twin):
            torch.manual_seed(k)
            each.block.grad.copy_(torch.randn_like(each.block))
        norm = clipped_step(ours, flat, max_norm)
        torch.testing.assert_close(norm, torch.nn.utils.clip_grad_norm_([twin.block], max_norm))
        plain.step()
        torch.testing.assert_close(flat.block, twin.block, rtol=1e-9, atol=1e-12)
    states = [list(each.state_dict()["state"][0].items()) for each in (ours, plain)]
    for (name, a), (other, b) in zip(*states, strict=True):
        assert name == other
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


def test_the_gpus_way_hands_over_what_the_kernels_need(monkeypatch):
    ours, plain = make_blocks(), make_blocks()
    extension = stand_in(monkeypatch, sys.modules["pyqmix.ops.adam"])
    adam = sys.modules["pyqmix.ops.adam"]._adam_cuda
    norm = adam(tuple(ours), torch.tensor(3.0), torch.tensor(1e-2), (0.8, 0.95, 1e-3, 0.5))
    truth = reference.adam(*plain, 3, float(torch.tensor(1e-2)), (0.8, 0.95), 1e-3, max_norm=0.5)
    for a, b in zip([*ours, norm], [*plain, truth], strict=True):
        torch.testing.assert_close(a, b)
    assert extension.calls == ["adam"]


def test_nan_is_not_hidden():
    blocks = make_blocks()
    blocks[1][5] = torch.nan
    assert ops.adam(*blocks, 1, 1e-2, max_norm=1.0).isnan()
    assert blocks[0].isnan().all()


BAD = [
    (0, lambda x: x.int(), TypeError, "parameters: expected"),
    (1, lambda x: x[1:], ValueError, "gradient: expected"),
    (2, lambda x: x.float(), TypeError, "exp_avg: expected"),
    (3, lambda x: x.repeat_interleave(2)[::2], ValueError, "exp_avg_sq: expected contiguous"),
    (0, lambda x: x.to("meta"), ValueError, "gradient: expected .* on meta, got .* on cpu"),
]


@pytest.mark.parametrize(("place", "change", "error", "message"), BAD)
def test_unusable_arguments_are_named(place, change, error, message):
    blocks = make_blocks()
    blocks[place] = change(blocks[place])
    with pytest.raises(error, match=message):
        ops.adam(*blocks, 1, 1e-2, max_norm=1.0)


def test_a_step_before_the_first():
    with pytest.raises(ValueError, match="step: expected an integer of at least 1, got 0"):
        ops.adam(*make_blocks(), 0, 1e-2, max_norm=1.0)


@pytest.mark.parametrize(("options", "kind"), [({}, "BlockAdam"), ({"backend": "reference"}, "Adam")])
def test_the_reference_backend_takes_torchs(options, kind):
    assert type(make_optimizer(Config(**options), FlatParameters([torch.nn.Linear(2, 2)]))).__name__ == kind
