"""The fused mixing network against linear layers and the reference mixing."""

import copy
import os

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pyqmix import _C, ops
from pyqmix.nn import QMixer
from pyqmix.ops import NoAvailableActionError, reference
from pyqmix.ops.qmixer import can_fuse

SHAPES = [  # rows, n, S, E, H
    (1, 1, 1, 1, 1),
    (127, 2, 30, 32, 64),
    (129, 3, 7, 5, 9),
    (700, 27, 40, 32, 64),
    (1100, 4, 72, 33, 70),
    (2100, 2, 200, 16, 8),
]


def network(shape, layers=2, dtype=torch.float64, seed=0):
    rows, n, state_dim, embed, hyper = shape
    torch.manual_seed(seed)
    mixer = QMixer(n, state_dim, embed, hyper, layers).to(dtype)
    return mixer, torch.randn(rows, n, dtype=dtype), torch.randn(rows, state_dim, dtype=dtype)


def composed(mixer, agent_qs, states):
    return reference.mix(agent_qs, *mixer.hypernetworks(states))


def gradients(function, mixer, agent_qs, states, grad):
    """Return q_tot and its gradients for the agents' values and every parameter."""
    qs = agent_qs.detach().clone().requires_grad_()
    q_tot = function(qs, states)
    wanted = [qs, *mixer.parameters()]
    return [q_tot.detach(), *torch.autograd.grad(q_tot, wanted, grad, allow_unused=True)]


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_values_and_gradients(shape, layers):
    mixer, qs, states = network(shape, layers)
    grad = torch.randn(shape[0], dtype=torch.float64)
    ours = gradients(mixer, mixer, qs, states, grad)
    theirs = gradients(lambda q, s: composed(mixer, q, s), mixer, qs, states, grad)
    for got, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("shape", [(1600, 2, 30, 32, 64), (1600, 10, 322, 32, 64)], ids=str)
def test_float32_is_as_exact_as_eager(shape):
    inputs = network(shape, dtype=torch.float32)
    grad = torch.randn(shape[0])
    ours = gradients(inputs[0], *inputs, grad)
    eager = gradients(lambda q, s: composed(inputs[0], q, s), *inputs, grad)
    mixer, *tensors = (copy.deepcopy(x).double() for x in inputs)
    exact = gradients(lambda q, s: composed(mixer, q, s), mixer, *tensors, grad.double())
    for got, other, expected in zip(ours, eager, exact, strict=True):
        error, eagers = ((x.double() - expected).norm() / expected.norm() for x in (got, other))
        assert error <= 1.2 * eagers + 1e-7


@pytest.mark.parametrize("layers", [1, 2])
def test_gradcheck(layers):
    mixer, qs, states = network((5, 3, 4, 3, 6), layers)
    parameters = [p.detach().clone().requires_grad_() for p in mixer.parameters()]
    torch.autograd.gradcheck(lambda q, *p: ops.qmixer(q, states, p), (qs.requires_grad_(), *parameters))


def test_leading_dimensions_and_strides():
    mixer, qs, states = network((24, 3, 10, 8, 8))
    expected = composed(mixer, qs, states)
    wide_states = torch.full((2, 12, 25), torch.nan, dtype=torch.float64)
    wide_states[..., 5:15] = states.view(2, 12, 10)
    wide_qs = torch.full((3, 2, 12), torch.nan, dtype=torch.float64)
    wide_qs.copy_(qs.view(2, 12, 3).permute(2, 0, 1))
    got = mixer(wide_qs.permute(1, 2, 0), wide_states[..., 5:15])
    torch.testing.assert_close(got, expected.view(2, 12))


def test_a_gradient_that_is_expanded_or_strided():
    mixer, qs, states = network((20, 2, 6, 4, 4))
    for grad in (torch.ones((), dtype=torch.float64).expand(20), torch.randn(20, 3, dtype=torch.float64)[:, 1]):
        ours = gradients(mixer, mixer, qs, states, grad)
        theirs = gradients(lambda q, s: composed(mixer, q, s), mixer, qs, states, grad)
        torch.testing.assert_close(ours, theirs)


def test_no_rows():
    mixer, qs, states = network((0, 2, 6, 4, 4))
    q_tot, *grads = gradients(mixer, mixer, qs, states, torch.ones(0, dtype=torch.float64))
    assert q_tot.shape == (0,)
    assert all(not grad.any() for grad in grads)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_number_of_threads_changes_no_bit(layers, dtype):
    mixer, qs, states = network((2000, 3, 20, 32, 16), layers, dtype)
    results = []
    for threads in (1, 2, 3, 5):
        torch.set_num_threads(threads)
        results.append(gradients(mixer, mixer, qs, states, torch.ones(2000, dtype=dtype)))
    for result in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(result, results[0], strict=True))


def test_forward_without_gradients_is_the_same_bits():
    mixer, qs, states = network((300, 3, 20, 32, 16), dtype=torch.float32)
    with torch.no_grad():
        alone = mixer(qs, states)
    assert not alone.requires_grad
    assert torch.equal(alone, mixer(qs, states))
    mixer.requires_grad_(False)
    assert not mixer(qs, states).requires_grad


def test_frozen_parameters_pass_gradients_to_the_agents():
    mixer, qs, states = network((300, 3, 20, 32, 16))
    expected = gradients(mixer, mixer, qs, states, torch.ones(300, dtype=torch.float64))[1]
    mixer.requires_grad_(False)
    qs.requires_grad_()
    mixer(qs, states).sum().backward()
    torch.testing.assert_close(qs.grad, expected)


def test_one_frozen_parameter_gets_no_gradient():
    mixer, qs, states = network((30, 3, 20, 32, 16))
    mixer.hyper_b_1.weight.requires_grad_(False)
    mixer(qs, states).sum().backward()
    assert [name for name, p in mixer.named_parameters() if p.grad is None] == ["hyper_b_1.weight"]


def test_states_that_want_a_gradient_get_it():
    mixer, qs, states = network((30, 3, 20, 32, 16))
    states.requires_grad_()
    assert not can_fuse(qs, states, list(mixer.parameters()))
    (got,) = torch.autograd.grad(mixer(qs, states).sum(), states)
    (expected,) = torch.autograd.grad(composed(mixer, qs, states).sum(), states)
    torch.testing.assert_close(got, expected)


def test_backward_twice():
    mixer, qs, states = network((300, 3, 20, 32, 16))
    q_tot = mixer(qs, states).sum()
    first = torch.autograd.grad(q_tot, list(mixer.parameters()), retain_graph=True)
    second = torch.autograd.grad(q_tot, list(mixer.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_changed_parameters_are_seen_by_autograd():
    mixer, qs, states = network((30, 3, 20, 32, 16))
    q_tot = mixer(qs, states).sum()
    with torch.no_grad():
        mixer.V[0].weight.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        q_tot.backward()


def test_nan_stays_in_its_row():
    mixer, qs, states = network((200, 3, 20, 32, 16))
    states[77, 3] = torch.nan
    with torch.no_grad():
        assert mixer(qs, states).isnan().nonzero().tolist() == [[77]]


def test_parametrized_weights_are_used():
    mixer, qs, states = network((30, 3, 20, 32, 16))
    torch.nn.utils.parametrizations.weight_norm(mixer.hyper_b_1)
    with torch.no_grad():
        mixer.hyper_b_1.parametrizations.weight.original0.mul_(3)
    torch.testing.assert_close(mixer(qs, states), composed(mixer, qs, states))
    mixer(qs, states).sum().backward()
    assert mixer.hyper_b_1.parametrizations.weight.original0.grad.any()


def bad_calls():
    mixer, qs, states = network((6, 2, 5, 4, 3))
    parameters = list(mixer.parameters())
    return {
        "rows": (
            qs,
            states[:5],
            parameters,
            ValueError,
            r"states: expected \(6, 5\) float64 on cpu, got \(5, 5\)",
        ),
        "dtype": (qs, states.float(), parameters, TypeError, r"states: expected .* got \(6, 5\) float32"),
        "half": (qs.half(), states, parameters, TypeError, "agent_qs: expected .* float32 or float64"),
        "count": (qs, states, parameters[:-1], ValueError, "parameters: expected 14, or 10 .*, got 13"),
        "weight": (qs, states, [parameters[2], *parameters[1:]], ValueError, r"hyper_w_1\.0\.weight: expected"),
        "agents": (qs[:, :1], states, parameters, ValueError, r"hyper_w_1\.2\.weight: expected \(4, 3\)"),
        "list": (qs, states.tolist(), parameters, TypeError, "states: expected .* got list"),
        "device": (
            qs.to("meta"),
            states.to("meta"),
            parameters,
            ValueError,
            r"hyper_w_1\.0\.weight: expected .* on meta, got .* on cpu",
        ),
    }


@pytest.mark.parametrize("case", bad_calls())
def test_bad_input(case):
    qs, states, parameters, error, message = bad_calls()[case]
    with pytest.raises(error, match=message):
        ops.qmixer(qs, states, parameters)


def target_inputs(shape, n_actions, dtype=torch.float64, seed=1):
    rows, n = shape[:2]
    random = torch.Generator().manual_seed(seed)
    draw = lambda *size: torch.randn(*size, generator=random, dtype=dtype)  # noqa: E731
    avail = torch.rand(rows, n, n_actions, generator=random) < 0.5
    avail[..., 0] |= ~avail.any(-1)
    terminated = torch.rand(rows, generator=random) < 0.2
    return draw(rows, n, n_actions), avail, draw(rows), terminated, draw(rows, n, n_actions)


@pytest.mark.parametrize("double_q", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_target(shape, layers, double_q):
    mixer, _, states = network(shape, layers)
    next_qs, avail, rewards, terminated, online = target_inputs(shape, 5)
    chosen_by = online if double_q else None
    got = mixer.td_target(next_qs, avail, rewards, terminated, 0.97, states, chosen_by)
    weights = mixer.hypernetworks(states)
    expected = reference.td_target(next_qs, avail, rewards, terminated, 0.97, *weights, chosen_by)
    torch.testing.assert_close(got, expected, rtol=1e-11, atol=1e-11)
    assert not got.requires_grad


def test_target_reads_nothing_of_a_terminated_row():
    shape = (300, 3, 20, 32, 16)
    mixer, _, states = network(shape)
    next_qs, avail, rewards, terminated, online = target_inputs(shape, 5)
    expected = mixer.td_target(next_qs, avail, rewards, terminated, 0.9, states, online)
    next_qs[terminated], online[terminated], states[terminated] = torch.nan, torch.nan, torch.nan
    avail[terminated] = False
    torch.testing.assert_close(mixer.td_target(next_qs, avail, rewards, terminated, 0.9, states, online), expected)


@pytest.mark.parametrize("row", [0, 130, 1999])
def test_target_names_the_first_agent_without_an_action(row):
    shape = (2000, 3, 20, 32, 16)
    mixer, _, states = network(shape)
    next_qs, avail, rewards, terminated, _ = target_inputs(shape, 5)
    terminated[row] = False
    avail[row, 1:] = False
    avail[1999, 2] = False
    terminated[1999] = False
    torch.set_num_threads(2)
    with pytest.raises(NoAvailableActionError) as error:
        mixer.td_target(next_qs, avail, rewards, terminated, 0.9, states)
    assert (error.value.index, error.value.agent) == ((row,), 1)


EXTREMES = st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-40, -1e-40, 1e-30, 1e30, -1e30, 3e38, 88.0, -104.0])


@settings(max_examples=int(os.environ.get("PYQMIX_EXAMPLES", "300")), deadline=None)
@given(
    rows=st.integers(0, 140),
    n=st.integers(1, 6),
    state_dim=st.integers(1, 40),
    embed=st.integers(1, 40),
    hyper=st.integers(1, 40),
    layers=st.sampled_from([1, 2]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    extreme=st.lists(st.tuples(st.integers(0, 10**6), EXTREMES), max_size=6),
    gap=st.integers(0, 3),
)
def test_any_shape_stride_and_value(rows, n, state_dim, embed, hyper, layers, dtype, extreme, gap):
    mixer, qs, states = network((rows, n, state_dim, embed, hyper), layers, dtype, seed=rows)
    for place, value in extreme:
        for tensor in (qs, states):
            if tensor.numel():
                tensor.view(-1)[place % tensor.numel()] = value
    wide = torch.full((rows, state_dim + gap), torch.nan, dtype=dtype)
    wide[:, gap:] = states
    strided = wide[:, gap:]
    grad = torch.ones(rows, dtype=dtype)
    ours = gradients(mixer, mixer, qs, strided, grad)
    theirs = gradients(lambda q, s: composed(mixer, q, s), mixer, qs, strided, grad)
    next_qs, avail, rewards, terminated, online = target_inputs((rows, n), 3, dtype)
    ours.append(mixer.td_target(next_qs, avail, rewards, terminated, 0.9, strided, online))
    theirs.append(
        reference.td_target(
            next_qs, avail, rewards, terminated, 0.9, *mixer.hypernetworks(strided), online
        ).detach()
    )
    # Sums of huge terms that cancel, and the signs of such sums, are rounding's; the rest is close.
    tame = all(abs(value) <= 1e2 for _, value in extreme)
    for got, expected in zip(ours, theirs, strict=True):
        assert got.shape == expected.shape
        if tame:
            close = 1e-3 if dtype is torch.float32 else 1e-9
            torch.testing.assert_close(got, expected, rtol=close, atol=close * (1 + expected.abs().sum().item()))


@pytest.mark.slow
@pytest.mark.parametrize("level", _C.build_info()["simd_compiled"])
def test_every_simd_level(level, at_simd_level):
    program = (
        "import torch; from pyqmix.nn import QMixer; from pyqmix.ops import reference\n"
        "torch.manual_seed(0); worst = 0.0\n"
        "for dtype in (torch.float32, torch.float64):\n"
        "    mixer = QMixer(3, 37, 32, 20).to(dtype)\n"
        "    s, q = torch.randn(333, 37, dtype=dtype), torch.randn(333, 3, dtype=dtype, requires_grad=True)\n"
        "    wanted = [q, *mixer.parameters()]\n"
        "    ours = torch.autograd.grad(mixer(q, s).sum(), wanted)\n"
        "    theirs = torch.autograd.grad(reference.mix(q, *mixer.hypernetworks(s)).sum(), wanted)\n"
        "    limit = 1e-5 if dtype == torch.float32 else 1e-13\n"
        "    worst = max(worst, *(float((a - b).norm() / b.norm()) / limit for a, b in zip(ours, theirs)))\n"
        "print(worst)"
    )
    assert float(at_simd_level(level, program)) < 1


def test_it_is_what_the_module_uses(monkeypatch):
    calls = []
    monkeypatch.setattr(ops, "qmixer", lambda *a: calls.append("mix") or torch.zeros(6))
    monkeypatch.setattr(ops, "qmixer_td_target", lambda *a: calls.append("target") or torch.zeros(6))
    mixer, qs, states = network((6, 2, 5, 4, 3))
    mixer(qs, states)
    mixer.td_target(*target_inputs((6, 2), 3)[:4], 0.9, states)
    assert calls == ["mix", "target"]
