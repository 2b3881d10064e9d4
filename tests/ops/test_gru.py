"""The recurrent unit over packed sequences against torch.nn.GRU and the reference."""

import os

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils.flop_counter import FlopCounterMode

from pyqmix import _C, ops
from pyqmix.nn import GRUAgent
from pyqmix.ops import reference
from pyqmix.ops.gru import can_fuse

SHAPES = {  # batch sizes, I, H
    "one row": ([1], 1, 1),
    "one sequence": ([1] * 9, 5, 7),
    "one step": ([40], 8, 33),
    "odd": ([7, 5, 5, 2, 1], 3, 17),
    "two chunks": ([64] * 12 + [50, 49, 33, 9, 3], 30, 64),
    "four chunks": ([131, 130, 128, 70, 1, 1], 65, 32),
    "large chunks": ([600, 590, 3], 4, 6),
    "wide": ([9, 4], 200, 130),
}


def unit(shape, dtype=torch.float64, seed=0):
    """Features, batch sizes and the four parameters."""
    sizes, inputs, hidden = shape
    torch.manual_seed(seed)
    parameters = [p.detach() for p in nn.GRU(inputs, hidden).to(dtype).parameters()]
    return torch.randn(sum(sizes), inputs, dtype=dtype), torch.tensor(sizes, dtype=torch.int64), parameters


def grouped(shape, groups, dtype=torch.float64):
    """The same of several units, stacked."""
    units = [unit(shape, dtype, seed) for seed in range(groups)]
    parameters = [torch.stack(p) for p in zip(*(p for _, _, p in units), strict=True)]
    return torch.stack([x for x, _, _ in units], 1), units[0][1], parameters


def torchs(features, sizes, *parameters):
    """The same by torch.nn.GRU."""
    rnn = nn.GRU(features.shape[1], parameters[1].shape[1]).to(features.dtype)
    names = [name for name, _ in rnn.named_parameters()]
    packed = PackedSequence(features, sizes)
    return torch.func.functional_call(rnn, dict(zip(names, parameters, strict=True)), (packed,))[0].data


def gradients(function, features, sizes, parameters, grad):
    """Return the hidden states and the gradients of features and parameters."""
    leaves = [x.detach().clone().requires_grad_() for x in (features, *parameters)]
    hidden = function(leaves[0], sizes, *leaves[1:])
    return [hidden.detach(), *torch.autograd.grad(hidden, leaves, grad)]


def grad_like(features, parameters, seed=9):
    random = torch.Generator().manual_seed(seed)
    lead = features.shape[:-1]
    return torch.randn(*lead, parameters[1].shape[-1], dtype=features.dtype, generator=random)


@pytest.mark.parametrize("truth", [torchs, reference.gru])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_values_and_gradients(shape, truth):
    features, sizes, parameters = unit(shape)
    grad = grad_like(features, parameters)
    ours = gradients(ops.gru, features, sizes, parameters, grad)
    theirs = gradients(truth, features, sizes, parameters, grad)
    for got, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("shape", [([64] * 50, 64, 64), ([128] * 30 + [40] * 20, 64, 128)], ids=str)
def test_float32_is_as_exact_as_torch(shape):
    inputs = unit(shape, torch.float32)
    grad = grad_like(inputs[0], inputs[2])
    ours = gradients(ops.gru, *inputs, grad)
    other = gradients(torchs, *inputs, grad)
    doubled = (inputs[0].double(), inputs[1], [p.double() for p in inputs[2]])
    exact = gradients(reference.gru, *doubled, grad.double())
    for got, their, expected in zip(ours, other, exact, strict=True):
        error, torch_error = ((x.double() - expected).norm() / expected.norm() for x in (got, their))
        assert error <= 1.2 * torch_error + 1e-7
        assert torch.nn.functional.cosine_similarity(got.double().flatten(), expected.flatten(), dim=0) > 1 - 1e-10


@pytest.mark.parametrize("groups", [None, 2])
def test_gradcheck(groups):
    shape = ([4, 3, 3, 1], 3, 4)
    features, sizes, parameters = grouped(shape, groups) if groups else unit(shape)
    leaves = [x.requires_grad_() for x in (features, *parameters)]
    torch.autograd.gradcheck(lambda x, *p: ops.gru(x, sizes, *p), leaves)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_groups_are_separate_units(shape):
    features, sizes, parameters = grouped(shape, 3)
    grad = grad_like(features, parameters)
    together = gradients(ops.gru, features, sizes, parameters, grad)
    for got, expected in zip(together, gradients(reference.gru, features, sizes, parameters, grad), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-11, atol=1e-11)
    for g in range(3):
        alone = gradients(ops.gru, features[:, g], sizes, [p[g] for p in parameters], grad[:, g])
        for k, (got, expected) in enumerate(zip(together, alone, strict=True)):
            assert torch.equal(got.select(1 if k < 2 else 0, g), expected)


def test_strides():
    features, sizes, parameters = unit(SHAPES["odd"])
    grad = grad_like(features, parameters)
    expected = gradients(ops.gru, features, sizes, parameters, grad)
    wide = torch.full((20, 9), torch.nan, dtype=torch.float64)
    wide[:, 4:7] = features
    turned = [p.T.contiguous().T if p.dim() == 2 else p.repeat_interleave(2)[::2] for p in parameters]
    for strided in (wide[:, 4:7], features.T.contiguous().T):
        leaf = strided.requires_grad_() if strided.is_leaf else strided.detach().requires_grad_()
        hidden = ops.gru(leaf, sizes, *turned)
        wide_grad = torch.full((17, 20), torch.nan, dtype=torch.float64)
        wide_grad.copy_(grad.T)
        (got,) = torch.autograd.grad(hidden, leaf, wide_grad.T)
        assert torch.equal(hidden, expected[0])
        assert torch.equal(got, expected[1])


def test_an_expanded_gradient():
    features, sizes, parameters = unit(SHAPES["odd"])
    grad = torch.ones((), dtype=torch.float64).expand(20, 17)
    for got, expected in zip(
        gradients(ops.gru, features, sizes, parameters, grad),
        gradients(torchs, features, sizes, parameters, grad),
        strict=True,
    ):
        torch.testing.assert_close(got, expected)


def test_no_rows():
    features, sizes, parameters = unit(([], 3, 4))
    hidden, *grads = gradients(ops.gru, features, sizes, parameters, torch.empty(0, 4, dtype=torch.float64))
    assert hidden.shape == (0, 4)
    assert all(not grad.any() for grad in grads)
    assert reference.gru(features, sizes, *parameters).shape == (0, 4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("groups", [1, 3])
def test_the_number_of_threads_changes_no_bit(groups, dtype):
    features, sizes, parameters = grouped(([131, 130, 100, 70, 9, 1], 12, 20), groups, dtype)
    results = []
    for threads in (1, 2, 3, 5):
        torch.set_num_threads(threads)
        results.append(gradients(ops.gru, features, sizes, parameters, grad_like(features, parameters)))
    for result in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(result, results[0], strict=True))


def test_forward_without_gradients_is_the_same_bits():
    features, sizes, parameters = unit(SHAPES["two chunks"], torch.float32)
    alone = ops.gru(features, sizes, *parameters)
    assert not alone.requires_grad
    assert torch.equal(alone, ops.gru(features.clone().requires_grad_(), sizes, *parameters))


def test_only_what_is_wanted_gets_a_gradient():
    features, sizes, parameters = unit(SHAPES["odd"])
    expected = gradients(ops.gru, features, sizes, parameters, grad_like(features, parameters))
    leaf = features.clone().requires_grad_()
    hidden = ops.gru(leaf, sizes, *parameters)
    assert torch.equal(torch.autograd.grad(hidden, leaf, grad_like(features, parameters))[0], expected[1])
    frozen = [p.clone().requires_grad_(k == 2) for k, p in enumerate(parameters)]
    ops.gru(features, sizes, *frozen).backward(grad_like(features, parameters))
    assert [p.grad is None for p in frozen] == [True, True, False, True]
    assert torch.equal(frozen[2].grad, expected[4])


def test_backward_twice():
    features, sizes, parameters = unit(SHAPES["two chunks"])
    leaf = features.requires_grad_()
    total = ops.gru(leaf, sizes, *parameters).sum()
    first = torch.autograd.grad(total, leaf, retain_graph=True)
    assert torch.equal(first[0], torch.autograd.grad(total, leaf)[0])


@pytest.mark.parametrize("changed", [0, 3])
def test_changed_inputs_are_seen_by_autograd(changed):
    features, sizes, parameters = unit(SHAPES["odd"])
    leaves = [x.requires_grad_() for x in (features, *parameters)]
    total = ops.gru(leaves[0], sizes, *leaves[1:]).sum()
    with torch.no_grad():
        leaves[changed].add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        total.backward()


def test_nan_stays_in_its_sequence():
    features, sizes, parameters = unit(SHAPES["two chunks"])
    features[64 * 2 + 5, 3] = torch.nan  # sequence 5, step 2
    hidden = ops.gru(features, sizes, *parameters)
    rows = [(t, k) for t, size in enumerate(sizes.tolist()) for k in range(size)]
    expected = [t >= 2 and k == 5 for t, k in rows]
    assert hidden.isnan().all(1).tolist() == hidden.isnan().any(1).tolist() == expected
    leaf = features.requires_grad_()
    (grad,) = torch.autograd.grad(ops.gru(leaf, sizes, *parameters).sum(), leaf)
    assert grad.isnan().any(1).tolist() == [k == 5 for _, k in rows]


def activations(x):
    """(sigmoid(x), tanh(x)) through the operation: with n = 1 first, h becomes z(x); with z = 0, h is n(x)."""
    count, dtype = len(x), x.dtype
    weight_ih = torch.tensor([[0, 0], [0, 1], [1, 0]], dtype=dtype)  # r, z, n of the inputs (a, c)
    rest = torch.zeros(3, 1, dtype=dtype), torch.zeros(3, dtype=dtype), torch.zeros(3, dtype=dtype)
    big = torch.full_like(x, 1000)
    sizes = torch.tensor([count, count])
    first = torch.stack([big, -big], 1)  # h = 1
    of_z = torch.cat([first, torch.stack([torch.zeros_like(x), x], 1)])
    of_n = torch.cat([first, torch.stack([x, -big], 1)])
    return [ops.gru(features, sizes, weight_ih, *rest)[count:, 0] for features in (of_z, of_n)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sigmoid_and_tanh_are_within_three_units_in_the_last_place(dtype):
    lowest = 80 if dtype is torch.float32 else 600
    small = torch.logspace(-30, 0, 40_001, dtype=torch.float64)
    x = torch.cat([torch.linspace(-lowest, lowest, 200_001, dtype=torch.float64), small, -small]).to(dtype)
    z, n = (value.numpy() for value in activations(x))
    wide = x.numpy().astype(np.longdouble)
    for got, exact in ((z, 1 / (1 + np.exp(-wide))), (n, np.tanh(wide))):
        ulp = np.spacing(np.abs(exact).astype(got.dtype)).astype(np.longdouble)
        assert (np.abs(got - exact) / ulp).max() <= 3
    ends = torch.tensor([-torch.inf, torch.inf, torch.nan, -1e5, 1e5, 0.0], dtype=dtype)
    z, n = (value[:6] for value in activations(ends.nan_to_num(posinf=1e30, neginf=-1e30)))
    assert z.tolist() == [0, 1, 0.5, 0, 1, 0.5]
    assert n.tolist() == [-1, 1, 0, -1, 1, 0]


def bad_calls():
    features, sizes, parameters = unit(([3, 2], 4, 5))
    w_ih, w_hh, b_ih, b_hh = parameters
    return {
        "list": (features.tolist(), sizes, parameters, TypeError, r"features: expected \(R, I\) .* got list"),
        "half": (features.half(), sizes, parameters, TypeError, "features: expected .* float32 or float64"),
        "dims": (features[0], sizes, parameters, ValueError, r"features: expected \(R, I\) or \(R, G, I\), got"),
        "dtype": (features.float(), sizes, parameters, TypeError, r"weight_ih: expected \(15, 4\) float32"),
        "inputs": (
            features[:, :3],
            sizes,
            parameters,
            ValueError,
            r"weight_ih: expected \(15, 3\) .* got \(15, 4\)",
        ),
        "hidden": (features, sizes, [w_ih, w_hh[:12], b_ih, b_hh], ValueError, r"weight_hh: expected \(15, 5\)"),
        "bias": (features, sizes, [w_ih, w_hh, b_ih, b_hh[:9]], ValueError, r"bias_hh: expected \(15,\)"),
        "groups": (features.unsqueeze(1), sizes, parameters, ValueError, "weight_hh: expected .*G"),
        "rise": (features, torch.tensor([2, 3]), parameters, ValueError, r"batch_sizes: expected .* \[2, 3\]"),
        "zero": (features, torch.tensor([5, 0]), parameters, ValueError, "batch_sizes: expected positive"),
        "sum": (
            features,
            torch.tensor([3, 1]),
            parameters,
            ValueError,
            "batch_sizes: expected a sum of 5, .* 4",
        ),
        "int32": (
            features,
            sizes.int(),
            parameters,
            TypeError,
            r"batch_sizes: expected .* torch.int32",
        ),
        "sizes": (features, [3.0, 2], parameters, TypeError, r"batch_sizes: expected \(T,\) int64 .* got list"),
        "matrix": (features, sizes.view(1, 2), parameters, ValueError, r"batch_sizes: expected \(T,\).*\(1, 2\)"),
        "device": (
            features.to("meta"),
            sizes,
            parameters,
            ValueError,
            "expected .* on meta, got .* on cpu",
        ),
    }


@pytest.mark.parametrize("case", bad_calls())
def test_bad_input(case):
    features, sizes, parameters, error, message = bad_calls()[case]
    with pytest.raises(error, match=message):
        ops.gru(features, sizes, *parameters)


EXTREMES = st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-40, 1e-30, 30.0, -100.0])


@settings(max_examples=int(os.environ.get("PYQMIX_EXAMPLES", "150")), deadline=None)
@given(
    lengths=st.lists(st.integers(1, 7), min_size=1, max_size=70),
    groups=st.integers(1, 3),
    inputs=st.integers(1, 40),
    hidden=st.integers(1, 40),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    extreme=st.lists(st.tuples(st.integers(0, 10**6), EXTREMES), max_size=6),
    gap=st.integers(0, 3),
)
def test_any_shape_stride_and_value(lengths, groups, inputs, hidden, dtype, extreme, gap):
    sizes = [sum(length > t for length in lengths) for t in range(max(lengths, default=0))]
    features, batch_sizes, parameters = grouped((sizes, inputs, hidden), groups, dtype)
    for place, value in extreme:
        if features.numel():
            features.view(-1)[place % features.numel()] = value
    wide = torch.full((sum(sizes), groups * inputs + gap), torch.nan, dtype=dtype)
    wide[:, gap:] = features.flatten(1)
    strided = wide[:, gap:].unflatten(1, (groups, inputs))
    grad = torch.ones(sum(sizes), groups, hidden, dtype=dtype)
    ours = gradients(ops.gru, strided, batch_sizes, parameters, grad)
    theirs = gradients(reference.gru, strided, batch_sizes, parameters, grad)
    close = 1e-4 if dtype is torch.float32 else 1e-10
    for got, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(got, expected, rtol=close, atol=close * (1 + expected.abs().sum().item()))


@pytest.mark.slow
@pytest.mark.parametrize("level", _C.build_info()["simd_compiled"])
def test_every_simd_level(level, at_simd_level):
    program = (
        "import torch; from pyqmix import ops; from pyqmix.ops import reference\n"
        "torch.manual_seed(0); worst = 0.0; sizes = torch.tensor([70, 70, 45, 33, 9, 2])\n"
        "for dtype in (torch.float32, torch.float64):\n"
        "    unit = torch.nn.GRU(37, 20).to(dtype); x = torch.randn(229, 37, dtype=dtype, requires_grad=True)\n"
        "    wanted = [x, *unit.parameters()]\n"
        "    ours, theirs = (torch.autograd.grad(f(x, sizes, *wanted[1:]).square().sum(), wanted)\n"
        "                    for f in (ops.gru, reference.gru))\n"
        "    limit = 1e-5 if dtype == torch.float32 else 1e-13\n"
        "    worst = max(worst, *(float((a - b).norm() / b.norm()) / limit for a, b in zip(ours, theirs)))\n"
        "print(worst)"
    )
    assert float(at_simd_level(level, program)) < 1


def agent_inputs(dtype=torch.float32):
    torch.manual_seed(0)
    agent = GRUAgent(obs_dim=5, n_actions=3, n_agents=2, hidden_dim=8).to(dtype)
    return agent, torch.randn(12, 2, 5, dtype=dtype), torch.tensor([5, 4, 2, 1])


def test_it_is_what_the_agent_uses(monkeypatch):
    agent, obs, counts = agent_inputs()
    calls = []
    monkeypatch.setattr(ops, "gru", lambda x, *rest: calls.append(len(x)) or x.new_zeros(24, 8))
    agent.unroll(obs, counts)
    assert calls == [24]


def test_the_agent_without_it_is_the_same(monkeypatch):
    agent, obs, counts = agent_inputs(torch.float64)
    fused = agent.unroll(obs, counts)
    expected = torch.autograd.grad(fused.square().sum(), list(agent.parameters()))
    monkeypatch.setattr("pyqmix.nn.agents.can_fuse", lambda *_: False)
    torch.testing.assert_close(agent.unroll(obs, counts), fused)
    got = torch.autograd.grad(agent.unroll(obs, counts).square().sum(), list(agent.parameters()))
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a, b)


def test_what_can_be_fused():
    features, _, parameters = unit(SHAPES["odd"])
    assert can_fuse(features, *parameters)
    assert not can_fuse(features.to("meta"), *parameters)
    with torch.device("meta"):  # a default device changes new tensors alone
        assert can_fuse(features, *parameters)
    with FlopCounterMode(display=False):
        assert not can_fuse(features, *parameters)


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # of torch's own breaks of the graph at nn.GRU
def test_the_agent_compiles():
    agent, obs, counts = agent_inputs()
    compiled = torch.compile(agent.unroll, backend="eager")
    torch.testing.assert_close(compiled(obs, counts), agent.unroll(obs, counts))


def test_the_agents_parameters_keep_their_names():
    names = set(agent_inputs()[0].state_dict())
    assert {f"rnn.{p}_{part}_l0" for p in ("weight", "bias") for part in ("ih", "hh")} <= names
    assert names == {*names, "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"}


@pytest.mark.slow
@pytest.mark.parametrize("strict", [True, False])
def test_exports_with_the_numbers_of_a_constant(strict):
    class Recurrent(torch.nn.Module):
        def forward(self, features, *parameters):
            return ops.gru(features, torch.tensor([3, 2]), *parameters)

    shapes = ((5, 3), (6, 3), (6, 2), (6,), (6,))
    inputs = tuple(torch.randn(*shape, dtype=torch.float64) for shape in shapes)
    exported = torch.export.export(Recurrent(), inputs, strict=strict).module()
    torch.testing.assert_close(exported(*inputs), Recurrent()(*inputs))
