"""The fused mixing against its PyTorch reference."""

import os
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels import mix_error
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad
from torch.utils.flop_counter import FlopCounterMode

from pyqmix import ops
from pyqmix.ops import reference

NAMES = ("agent_qs", "w1", "b1", "w_final", "v")


def make_inputs(lead, n, embed, dtype=torch.float64, seed=0, scale=1.0):
    random = torch.Generator().manual_seed(seed)
    shapes = ((*lead, n), (*lead, n * embed), (*lead, embed), (*lead, embed), lead)
    return [torch.randn(s, generator=random, dtype=torch.float64).mul(scale).to(dtype) for s in shapes]


def value_and_grads(mix, inputs, grad_output=None):
    leaves = [x.detach().clone().requires_grad_() for x in inputs]
    q_tot = mix(*leaves)
    grads = torch.autograd.grad(q_tot, leaves, torch.ones_like(q_tot) if grad_output is None else grad_output)
    return [q_tot.detach(), *grads]


SHAPES = [
    *(((5,), n, embed) for n in (1, 2, 3, 8) for embed in (1, 31, 32, 33, 64, 70)),
    ((), 2, 4),
    ((1,), 1, 1),
    ((0,), 2, 32),
    ((3, 0), 2, 32),
    ((2, 3, 4), 5, 8),
    ((1000,), 4, 32),
]


@pytest.mark.parametrize(("lead", "n", "embed"), SHAPES)
def test_equals_the_reference_in_float64(lead, n, embed):
    inputs = make_inputs(lead, n, embed)
    for ours, truth in zip(value_and_grads(ops.mix, inputs), value_and_grads(reference.mix, inputs), strict=True):
        assert ours.shape == truth.shape
        torch.testing.assert_close(ours, truth, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("scale", [0.05, 1.0, 3.0])
@pytest.mark.parametrize(("n", "embed"), [(1, 32), (2, 32), (8, 32), (27, 32), (4, 7)])
def test_float32_errs_at_most_twice_as_much_as_eager(n, embed, scale):
    """In L2 on every input; the largest single error, which is luck, over several inputs together."""
    largest = {}
    for seed in range(5):
        for name, norm, ours, eager in mix_error.errors(mix_error.make_inputs(400, n, embed, scale, seed)):
            if norm == 2:
                assert ours <= 2 * eager, name
            else:
                before = largest.get(name, (0.0, 0.0))
                largest[name] = max(before[0], ours), max(before[1], eager)
    assert all(ours <= 2 * eager for ours, eager in largest.values())


def test_the_elu_errs_by_less_than_two_units_in_the_last_place():
    """Every 499th of all finite float32 numbers below zero."""
    for bits in mix_error.every_negative_float(stride=499):
        value, slope = mix_error.elu_ulps(bits)
        assert value < 2
        assert slope < 2


@pytest.mark.parametrize("x", [0.0, -0.0, -87.33, -87.34, -1e30, -float("inf"), 88.0, float("inf")])
def test_the_elu_at_its_ends(x):
    inputs = [torch.zeros(1, 1), torch.zeros(1, 1), torch.full((1, 1), x), torch.ones(1, 1), torch.zeros(1)]
    ours, truth = value_and_grads(ops.mix, inputs), value_and_grads(reference.mix, inputs)
    for a, b in zip(ours, truth, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-37)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradient_points_where_the_reference_points(dtype):
    inputs = make_inputs((64,), 3, 32, dtype)
    for ours, truth in zip(
        value_and_grads(ops.mix, inputs)[1:], value_and_grads(reference.mix, inputs)[1:], strict=True
    ):
        assert torch.cosine_similarity(ours.flatten(), truth.flatten(), dim=0) > 1 - 1e-6


def test_gradcheck():
    inputs = [x.requires_grad_() for x in make_inputs((3,), 2, 4, seed=5)]
    assert torch.autograd.gradcheck(ops.mix, inputs)


def test_gradients_at_the_kinks_are_torchs():
    inputs = make_inputs((2,), 2, 3)
    inputs[1][0], inputs[3][0] = 0.0, 0.0  # |w| at 0
    inputs[0][1], inputs[2][1] = 0.0, 0.0  # ELU at 0
    for ours, truth in zip(value_and_grads(ops.mix, inputs), value_and_grads(reference.mix, inputs), strict=True):
        torch.testing.assert_close(ours, truth)


def test_reads_strided_and_expanded_inputs():
    stacked = torch.randn(6, 2 * 8 + 8 + 8 + 1, dtype=torch.float64)
    w1, b1, w_final, v = stacked.split([16, 8, 8, 1], dim=1)
    agent_qs = torch.randn(2, 6, dtype=torch.float64).T
    shared_bias = b1[:1].expand(6, 8)
    inputs = (agent_qs, w1, shared_bias, w_final, v.squeeze(1))
    before = [x.clone() for x in inputs]
    torch.testing.assert_close(ops.mix(*inputs), reference.mix(*inputs))
    assert all(torch.equal(x, y) for x, y in zip(inputs, before, strict=True))
    grad = torch.ones(1, dtype=torch.float64).expand(6)
    for ours, truth in zip(
        value_and_grads(ops.mix, inputs, grad), value_and_grads(reference.mix, inputs, grad), strict=True
    ):
        torch.testing.assert_close(ours, truth)


def test_value_and_gradients_do_not_depend_on_the_number_of_threads():
    inputs = make_inputs((1111,), 3, 32, torch.float32)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            results.append(value_and_grads(ops.mix, inputs))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_a_nan_stays_in_its_row():
    inputs = make_inputs((4,), 2, 8)
    inputs[1][2, 3] = float("nan")
    q_tot = ops.mix(*inputs)
    assert q_tot.isnan().tolist() == [False, False, True, False]


def test_is_monotone_in_every_agent():
    inputs = [x.requires_grad_() for x in make_inputs((200,), 5, 32)]
    (grad,) = torch.autograd.grad(ops.mix(*inputs).sum(), inputs[0])
    assert (grad >= 0).all()
    assert grad.max() > 0


@pytest.mark.parametrize("mix", [ops.mix, torch.ops.pyqmix.mix])
def test_second_derivatives(mix):
    inputs = [x.requires_grad_() for x in make_inputs((2,), 2, 4)]
    assert torch.autograd.gradgradcheck(mix, inputs)


def test_an_input_that_is_given_twice_has_both_gradients():
    agent_qs, w1, b1, _, v = make_inputs((5,), 3, 4)
    b1.requires_grad_()
    (ours,), (theirs,) = (
        torch.autograd.grad(f(agent_qs, w1, b1, b1, v).sum(), b1, create_graph=True)
        for f in (ops.mix, reference.mix)
    )
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("mix", [ops.mix, torch.ops.pyqmix.mix])
def test_products_are_counted(mix):
    inputs = [x.requires_grad_() for x in make_inputs((5,), 3, 4)]
    counts = []
    for function in (mix, reference.mix):
        with FlopCounterMode(display=False) as counter:
            function(*inputs).sum().backward()
        counts.append(counter.get_total_flops())
    assert counts[0] == counts[1] == 3 * 2 * 5 * 3 * 4


def test_registered_operators_check_their_inputs():
    inputs = make_inputs((6,), 3, 8)
    grad = torch.ones(6, dtype=torch.float64)
    half = [x.half() for x in inputs]
    for call in (lambda: torch.ops.pyqmix.mix(*half), lambda: torch.ops.pyqmix.mix_backward(grad.half(), *half)):
        with pytest.raises(TypeError, match=r"agent_qs: expected .* float32 or float64, got \(6, 3\) float16"):
            call()
    with pytest.raises(ValueError, match=r"w1: expected \(6, 24\) .*, got \(6, 23\)"):
        torch.ops.pyqmix.mix(inputs[0], inputs[1][:, 1:], *inputs[2:])
    with pytest.raises(ValueError, match=r"grad_q_tot: expected \(6,\) .*, got \(5,\)"):
        torch.ops.pyqmix.mix_backward(grad[1:], *inputs)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # of opcheck, from torch 2.15 on
def test_opcheck_of_the_registered_operators():
    inputs = make_inputs((6,), 3, 8)
    torch.library.opcheck(torch.ops.pyqmix.mix_backward, (torch.ones(6, dtype=torch.float64), *inputs))
    torch.library.opcheck(torch.ops.pyqmix.mix, [x.requires_grad_() for x in inputs])


@pytest.mark.parametrize("dynamic", [None, True])
def test_compiles_whole_for_changing_batch_sizes(dynamic):
    torch._dynamo.reset()

    def loss(*inputs):
        return ops.mix(*inputs).square().mean()

    compiled = torch.compile(loss, fullgraph=True, dynamic=dynamic)
    for rows in (3, 8, 21):
        inputs = make_inputs((rows,), 3, 8)
        for ours, truth in zip(value_and_grads(compiled, inputs), value_and_grads(loss, inputs), strict=True):
            torch.testing.assert_close(ours, truth)


def test_tensors_without_values_give_their_shape():
    meta = [x.to("meta").requires_grad_() for x in make_inputs((4,), 3, 8)]
    assert ops.mix(*meta).shape == (4,)
    with FakeTensorMode() as mode:
        fake = [mode.from_tensor(x) for x in make_inputs((4,), 3, 8)]
        assert ops.mix(*fake).shape == (4,)


def test_reads_negated_views():
    inputs = make_inputs((4,), 3, 8)
    inputs[4] = torch.complex(torch.zeros(4).double(), inputs[4]).conj().imag
    assert inputs[4].is_neg()
    torch.testing.assert_close(ops.mix(*inputs), reference.mix(*inputs))


def test_threads_survive_a_fork():
    """A child whose parent has used the thread pool makes its own."""
    torch.set_num_threads(2)
    inputs = make_inputs((2000,), 2, 8)
    plain = ops.mix(*inputs)
    child = os.fork()
    if child == 0:
        os._exit(0 if torch.equal(ops.mix(*inputs), plain) else 1)
    assert os.waitpid(child, 0)[1] == 0


LEVELS = ("baseline", "avx2", "avx512")
SCRIPT = """
import json, sys, torch, pyqmix
from pyqmix import ops
from pyqmix.ops import reference
torch.manual_seed(0)
inputs = [torch.randn(s, dtype=torch.float64) for s in ((99, 3), (99, 3 * 40), (99, 40), (99, 40), (99,))]
leaves = [x.clone().requires_grad_() for x in inputs]
twins = [x.clone().requires_grad_() for x in inputs]
ops.mix(*leaves).sum().backward()
reference.mix(*twins).sum().backward()
error = max(float((a.grad - b.grad).abs().max()) for a, b in zip(leaves, twins))
print(error)
"""


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
def test_every_simd_level_of_this_cpu_equals_the_reference(level, at_simd_level):
    assert float(at_simd_level(level, SCRIPT)) < 1e-12


def test_an_unknown_simd_level_is_an_error(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", "import pyqmix"],
        cwd=tmp_path,
        env={**os.environ, "PYQMIX_SIMD": "sse9"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode != 0
    assert run.stderr.strip().endswith("PYQMIX_SIMD: expected baseline, avx2 or avx512, got sse9")
    assert "Traceback" not in run.stderr


WRONG = [
    (
        "agent_qs",
        lambda x: x.tolist(),
        TypeError,
        r"agent_qs: expected \(\.\.\., n\) float32 or float64, got list",
    ),
    ("agent_qs", lambda x: x.half(), TypeError, r"got \(4, 3\) float16 on cpu"),
    ("agent_qs", lambda x: x[:, :0], ValueError, r"agent_qs: .*got \(4, 0\) float64"),
    (
        "w1",
        lambda x: x[:, :-1],
        ValueError,
        r"w1: expected \(4, 24\) float64 on cpu, got \(4, 23\) float64 on cpu",
    ),
    ("w1", lambda x: x.float(), TypeError, r"w1: expected \(4, 24\) float64 on cpu, got \(4, 24\) float32 on cpu"),
    ("b1", lambda x: x[:3], ValueError, r"b1: expected \(4, 8\) float64 on cpu, got \(3, 8\)"),
    ("w_final", lambda x: x.to("meta"), ValueError, r"w_final: expected \(4, 8\) float64 on cpu, got .* on meta"),
    (
        "w_final",
        lambda x: x.to_sparse(),
        ValueError,
        r"w_final: expected a strided tensor, got one that is of layout torch.sparse_coo",
    ),
    ("v", lambda x: x.unsqueeze(1), ValueError, r"v: expected \(4,\) float64 on cpu, got \(4, 1\) float64 on cpu"),
    ("v", lambda x: None, TypeError, r"v: expected \(4,\) float64 on cpu, got NoneType"),
]


@pytest.mark.parametrize(("name", "spoil", "error", "match"), WRONG)
def test_names_the_argument_that_does_not_fit(name, spoil, error, match):
    inputs = dict(zip(NAMES, make_inputs((4,), 3, 8), strict=True))
    inputs[name] = spoil(inputs[name])
    with pytest.raises(error, match=match):
        ops.mix(**inputs)


@settings(max_examples=60, deadline=None)
@given(
    lead=st.lists(st.integers(0, 5), max_size=3).map(tuple),
    n=st.integers(1, 6),
    embed=st.integers(1, 40),
    scale=st.sampled_from([1e-30, 1e-3, 1.0, 50.0]),
    seed=st.integers(0, 1000),
)
def test_any_shape_and_scale_equals_the_reference(lead, n, embed, scale, seed):
    inputs = make_inputs(lead, n, embed, seed=seed, scale=scale)
    for ours, truth in zip(value_and_grads(ops.mix, inputs), value_and_grads(reference.mix, inputs), strict=True):
        torch.testing.assert_close(ours, truth, rtol=1e-11, atol=1e-11 * scale)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")  # of torch.func itself
def test_the_operator_by_name_is_differentiated_by_transforms():
    """torch.compile records the operator, under a transform too."""
    inputs = tuple(torch.randn(*shape, dtype=torch.float64) for shape in ((4, 3), (4, 6), (4, 2), (4, 2), (4,)))

    def derivatives(function, *values):
        squares = lambda *x: function(*x).square().sum()  # noqa: E731
        gradients = torch.func.grad(squares, argnums=tuple(range(len(values))))
        yield from gradients(*values)
        yield from torch.func.jvp(function, values, values)
        yield torch.func.jacrev(torch.func.grad(squares))(*values)
        with forward_ad.dual_level():
            out = forward_ad.unpack_dual(function(forward_ad.make_dual(values[0], values[0]), *values[1:]))
        yield out.tangent

    avail, flags = torch.ones(4, 3, 1, dtype=torch.bool), torch.zeros(4, dtype=torch.bool)

    def target(function):
        return lambda q, r, *w: function(q.unsqueeze(-1), avail, r, flags, 0.9, *w, None)

    pairs = [
        (torch.ops.pyqmix.mix, ops.reference.mix, inputs),
        (target(torch.ops.pyqmix.td_target), target(ops.reference.td_target), (inputs[0], inputs[4], *inputs[1:])),
    ]
    for by_name, twin, values in pairs:
        for ours, theirs in zip(derivatives(by_name, *values), derivatives(twin, *values), strict=True):
            torch.testing.assert_close(ours, theirs)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
def test_transforms_within_torch_compile():
    q, *weights = (torch.randn(*shape, dtype=torch.float64) for shape in ((4, 3), (4, 6), (4, 2), (4, 2), (4,)))
    squares = lambda x: ops.mix(x, *weights).square().sum()  # noqa: E731
    for function in (torch.func.grad(squares), lambda x: torch.func.jvp(squares, (x,), (x,))[1]):
        torch.compiler.reset()
        torch.testing.assert_close(torch.compile(function, backend="aot_eager")(q), function(q))
