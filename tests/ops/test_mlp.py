"""The fused linear layers against their PyTorch reference."""

import pytest
import torch

from pyqmix import _C, ops
from pyqmix.nn.agents import MLPAgent
from pyqmix.ops import reference
from pyqmix.ops.mlp import can_fuse

SHAPES = [  # rows, groups (0: none), I, one-hot, outputs of each layer
    ((1, 0, 1, 0), (1,)),
    ((7, 0, 5, 0), (9, 4)),
    ((127, 0, 15, 2), (64, 64, 6)),
    ((1100, 0, 33, 3), (70, 40, 37)),
    ((2100, 2, 8, 0), (16, 5)),
    ((130, 3, 20, 4), (64, 64, 6)),
    ((0, 0, 5, 2), (9, 4)),
]


def network(shape, sizes, dtype=torch.float64):
    rows, groups, inputs, one_hot = shape
    torch.manual_seed(0)
    lead, inputs_of = ((groups,) if groups else ()), [inputs + one_hot, *sizes]
    parameters = []
    for outputs, width in zip(sizes, inputs_of, strict=False):
        parameters += [torch.randn(*lead, outputs, width) / width**0.5, torch.randn(*lead, outputs)]
    features = torch.randn(rows, *lead, inputs, dtype=dtype)
    return features, [p.to(dtype).requires_grad_() for p in parameters], one_hot


def gradients(function, features, parameters, one_hot, grad, final_relu=False):
    features = features.detach().requires_grad_()
    out = function(features, parameters, one_hot, final_relu)
    return [out.detach(), *torch.autograd.grad(out, [features, *parameters], grad)]


def grad_like(features, parameters):
    return torch.randn(*features.shape[:-1], parameters[-1].shape[-1], dtype=features.dtype)


@pytest.mark.parametrize("final_relu", [False, True])
@pytest.mark.parametrize(("shape", "sizes"), SHAPES, ids=str)
def test_values_and_gradients(shape, sizes, final_relu):
    features, parameters, one_hot = network(shape, sizes)
    grad = grad_like(features, parameters)
    ours = gradients(ops.mlp, features, parameters, one_hot, grad, final_relu)
    theirs = gradients(reference.mlp, features, parameters, one_hot, grad, final_relu)
    for got, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-11, atol=1e-11)
    with torch.no_grad():
        assert torch.equal(ops.mlp(features, parameters, one_hot, final_relu), ours[0])


def test_gradients_of_the_parameters_alone_are_the_same():
    features, parameters, one_hot = network((300, 0, 15, 2), (16, 6))
    grad = grad_like(features, parameters)
    alone = torch.autograd.grad(ops.mlp(features, parameters, one_hot), parameters, grad)
    for got, expected in zip(alone, gradients(ops.mlp, features, parameters, one_hot, grad)[2:], strict=True):
        assert torch.equal(got, expected)


@pytest.mark.parametrize("final_relu", [False, True])
def test_gradcheck(final_relu):
    features, parameters, _ = network((5, 0, 3, 2), (4, 3, 2))
    inputs = [features.requires_grad_(), *parameters]
    torch.autograd.gradcheck(lambda x, *p: ops.mlp(x, p, 2, final_relu), inputs)
    torch.autograd.gradgradcheck(lambda x, *p: ops.mlp(x, p, 2, final_relu), inputs)


def test_float32_is_as_exact_as_eager():
    features, parameters, one_hot = network((3200, 0, 15, 2), (64, 64, 6), torch.float32)
    grad = grad_like(features, parameters)
    ours = gradients(ops.mlp, features, parameters, one_hot, grad)
    eager = gradients(reference.mlp, features, parameters, one_hot, grad)
    double = [p.detach().double().requires_grad_() for p in parameters]
    exact = gradients(reference.mlp, features.double(), double, one_hot, grad.double())
    for got, other, expected in zip(ours, eager, exact, strict=True):
        error, eagers = ((x.double() - expected).norm() / expected.norm() for x in (got, other))
        assert error <= 1.2 * eagers + 1e-7


def test_strides_and_expanded_gradients():
    features, parameters, one_hot = network((24, 2, 5, 0), (8, 3))
    wide = torch.full((2, 24, 11), torch.nan, dtype=torch.float64)
    wide[..., 3:8] = features.transpose(0, 1)
    grads = (
        torch.ones((), dtype=torch.float64).expand(24, 2, 3),
        torch.randn(3, 24, 2, dtype=torch.float64).permute(1, 2, 0),
    )
    for grad in grads:
        ours = gradients(ops.mlp, wide[..., 3:8].transpose(0, 1), parameters, one_hot, grad)
        torch.testing.assert_close(ours, gradients(reference.mlp, features, parameters, one_hot, grad))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_number_of_threads_changes_no_bit(dtype):
    features, parameters, one_hot = network((2000, 2, 15, 2), (64, 6), dtype)
    grad, results = grad_like(features, parameters), []
    for threads in (1, 2, 3, 5):
        torch.set_num_threads(threads)
        results.append(gradients(ops.mlp, features, parameters, one_hot, grad))
    for result in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(result, results[0], strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("level", _C.build_info()["simd_compiled"])
def test_every_simd_level(level, at_simd_level):
    program = (
        "import torch; from pyqmix import ops; from pyqmix.ops import reference\n"
        "torch.manual_seed(0); x = torch.randn(300, 15)\n"
        "p = [torch.randn(s) * 0.2 for s in ((33, 17), (33,), (6, 33), (6,))]\n"
        "p = [q.requires_grad_() for q in p]; g = torch.randn(300, 6)\n"
        "a = torch.autograd.grad(ops.mlp(x, p, 2), p, g); b = torch.autograd.grad(reference.mlp(x, p, 2), p, g)\n"
        "print(max(float((u - v).norm() / v.norm()) for u, v in zip(a, b)))"
    )
    assert float(at_simd_level(level, program)) < 1e-5


def test_nan_stays_in_its_row():
    features, parameters, one_hot = network((200, 0, 15, 2), (33, 6))
    features[77, 3] = torch.nan
    with torch.no_grad():
        assert ops.mlp(features, parameters, one_hot).isnan().any(-1).nonzero().tolist() == [[77]]


def test_changed_parameters_are_seen_by_autograd():
    features, parameters, one_hot = network((30, 0, 5, 2), (8, 3))
    out = ops.mlp(features, parameters, one_hot).sum()
    with torch.no_grad():
        parameters[0].add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.backward()


def bad_calls():
    features, parameters, _ = network((6, 0, 5, 2), (4, 3))
    w0, b0, w1, b1 = parameters
    return {
        "list": (features.tolist(), parameters, 2, TypeError, "features: expected .* got list"),
        "dim": (features[0], parameters, 2, ValueError, r"features: expected \(R, I\) or \(R, G, I\)"),
        "dtype": (features.float(), parameters, 2, TypeError, r"weight 0: expected \(4, 7\) float32 on cpu"),
        "one_hot": (features, parameters, 3, ValueError, r"weight 0: expected \(4, 8\) .* got \(4, 7\)"),
        "negative": (features, parameters, -1, ValueError, "one_hot: expected an integer of at least 0, got -1"),
        "odd": (features, parameters[:3], 2, ValueError, "parameters: expected a weight and a bias .* got 3"),
        "chain": (
            features,
            [w0, b0, w1[:, :3], b1],
            2,
            ValueError,
            r"weight 1: expected \(3, 4\) .* \(3, 3\)",
        ),
        "bias": (features, [w0, b0[:2], w1, b1], 2, ValueError, r"bias 0: expected \(4,\) .* got \(2,\)"),
        "device": (features.to("meta"), parameters, 2, ValueError, "weight 0: expected .* on meta, got .* on cpu"),
    }


@pytest.mark.parametrize("case", bad_calls())
def test_bad_calls(case):
    *arguments, error, message = bad_calls()[case]
    with pytest.raises(error, match=message):
        ops.mlp(*arguments)


@pytest.mark.parametrize("options", [{}, {"agent_id": False}, {"share_parameters": False}], ids=str)
def test_the_agent_uses_it_and_equals_its_layers(options, monkeypatch):
    agent, obs = MLPAgent(5, 4, 3, 16, **options), torch.randn(40, 3, 5)
    fused = agent.unroll(obs)
    calls = []
    monkeypatch.setattr(ops, "mlp", lambda *x, **y: calls.append(1) or fused)
    agent.unroll(obs)
    assert calls
    monkeypatch.setattr("pyqmix.nn.agents.may_fuse", lambda obs: False)
    composed = agent.unroll(obs)
    assert len(calls) == 1
    torch.testing.assert_close(fused, composed)


def test_what_can_be_fused():
    features, parameters, _ = network((6, 0, 5, 2), (4, 3))
    assert can_fuse(features, parameters)
    assert not can_fuse(features.to("meta"), parameters)
