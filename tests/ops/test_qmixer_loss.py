"""The loss of the mixing network with its gradients in one pass, against the composition of its parts."""

import copy

import pytest
import torch
from torch import nn

from pyqmix import ops
from pyqmix.base.network_spec import NetworkSpec
from pyqmix.nn import QMixer, make_mixer
from pyqmix.nn.flat import FlatParameters
from pyqmix.ops import reference

SHAPES = [(0, 2, 6, 4, 4), (1, 1, 1, 1, 1), (127, 2, 30, 32, 64), (129, 3, 7, 5, 9), (1100, 4, 72, 33, 70)]


def problem(shape, layers=2, dtype=torch.float64):
    rows, n, state_dim, embed, hyper = shape
    torch.manual_seed(0)
    mixer = QMixer(n, state_dim, embed, hyper, layers).to(dtype)
    tensors = (torch.randn(rows, n), torch.randn(rows, state_dim), torch.randn(rows), torch.rand(rows))
    return mixer, *(x.to(dtype) for x in tensors)


def composed(mixer, qs, states, targets, weights):
    q_tot = reference.mix(qs, *mixer.hypernetworks(states))
    return (weights * (targets - q_tot) ** 2).sum(), q_tot


def gradients(function, mixer, qs, *others, scale=1.0):
    qs = qs.clone().requires_grad_()
    loss, q_tot = function(qs, *others)
    return [loss.detach(), q_tot.detach(), *torch.autograd.grad(scale * loss, [qs, *mixer.parameters()])]


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_values_and_gradients(shape, layers):
    mixer, *tensors = problem(shape, layers)
    for scale in (1.0, -0.25):
        ours = gradients(mixer.loss, mixer, *tensors, scale=scale)
        theirs = gradients(lambda *x: composed(mixer, *x), mixer, *tensors, scale=scale)
        for got, expected in zip(ours, theirs, strict=True):
            torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-10)


def test_leading_dimensions_and_strides():
    mixer, qs, states, targets, weights = problem((24, 3, 10, 8, 8))
    expected = gradients(mixer.loss, mixer, qs, states, targets, weights)
    wide = torch.full((2, 12, 4), torch.nan, dtype=torch.float64)
    wide[..., 1], wide[..., 3] = targets.view(2, 12), weights.view(2, 12)
    got = gradients(mixer.loss, mixer, qs.view(2, 12, 3), states.view(2, 12, 10), wide[..., 1], wide[..., 3])
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a.flatten(), b.flatten())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_number_of_threads_changes_no_bit(dtype):
    mixer, *tensors = problem((2000, 3, 20, 32, 16), dtype=dtype)
    results = []
    for threads in (1, 2, 5):
        torch.set_num_threads(threads)
        results.append(gradients(mixer.loss, mixer, *tensors))
    for result in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(result, results[0], strict=True))


def test_it_is_what_forward_and_backward_give_bit_for_bit():
    mixer, qs, states, targets, weights = problem((700, 3, 20, 32, 16), dtype=torch.float32)
    _, q_tot, *ours = gradients(mixer.loss, mixer, qs, states, targets, weights)
    leaf = qs.clone().requires_grad_()
    apart = mixer(leaf, states)
    assert torch.equal(q_tot, apart)
    grad = 2 * (weights * (apart.detach() - targets))
    theirs = torch.autograd.grad(apart, [leaf, *mixer.parameters()], grad)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_without_gradients_and_where_the_states_want_one():
    mixer, qs, states, targets, weights = problem((30, 3, 20, 32, 16))
    expected = composed(mixer, qs, states, targets, weights)
    with torch.no_grad():
        torch.testing.assert_close(mixer.loss(qs, states, targets, weights), expected)
    loss, _ = mixer.loss(qs, states.clone().requires_grad_(), targets, weights)
    torch.testing.assert_close(loss, expected[0])


def test_no_gradient_flows_through_targets_and_weights():
    mixer, qs, states, targets, weights = problem((30, 3, 20, 32, 16))
    loss, q_tot = mixer.loss(qs, states, targets.requires_grad_(), weights)
    assert not q_tot.requires_grad
    assert torch.autograd.grad(loss, targets, allow_unused=True) == (None,)


def test_a_second_backward_gives_the_same_gradients():
    mixer, *tensors = problem((30, 3, 20, 32, 16))
    loss, _ = mixer.loss(*tensors)
    first, second = (torch.autograd.grad(loss, list(mixer.parameters()), retain_graph=True) for _ in range(2))
    torch.testing.assert_close(second, first)


@pytest.mark.parametrize(
    ("name", "change", "error", "message"),
    [
        ("targets", lambda x: x[:5], ValueError, r"targets: expected \(6,\) float64 on cpu, got \(5,\)"),
        ("targets", lambda x: x.float(), TypeError, r"targets: expected .* got \(6,\) float32"),
        ("weights", lambda x: x[:, None], ValueError, r"weights: expected \(6,\) float64 on cpu, got \(6, 1\)"),
        ("weights", lambda x: x.tolist(), TypeError, "weights: expected .* got list"),
    ],
)
def test_bad_calls(name, change, error, message):
    mixer, qs, states, targets, weights = problem((6, 2, 5, 4, 3))
    given = {"targets": targets, "weights": weights}
    given[name] = change(given[name])
    with pytest.raises(error, match=message):
        ops.qmixer_loss(qs, states, list(mixer.parameters()), **given)


@pytest.mark.parametrize(("name", "shape"), [("vdn", (7,)), ("iql", (7, 3))])
def test_the_other_mixers(name, shape):
    mixer = make_mixer(NetworkSpec(3, 1, 1, 4, mixer=name, embed_dim=2, hypernet_dim=2, hypernet_layers=1))
    qs, targets, weights = torch.randn(7, 3), torch.randn(shape), torch.rand(7)
    loss, values = mixer.loss(qs, torch.zeros(7, 4), targets, weights)
    expected = qs.sum(-1) if name == "vdn" else qs
    assert torch.equal(values, expected)
    errors = ((targets - expected) ** 2).reshape(7, -1).mean(-1)
    torch.testing.assert_close(loss, (weights * errors).sum())


def two_modules():
    torch.manual_seed(0)
    return nn.Linear(3, 4), nn.Sequential(nn.Linear(4, 2), nn.ReLU(), nn.Linear(2, 1))


def is_bound(flat):
    flat.block.detach().copy_(torch.arange(flat.block.numel()).to(flat.block))
    return torch.equal(torch.cat([p.detach().flatten() for p in flat.parameters]), flat.block.detach())


def test_flat_parameters_are_the_modules_own():
    modules = two_modules()
    before = [p.detach().clone() for m in modules for p in m.parameters()]
    flat = FlatParameters(modules)
    assert all(torch.equal(a, b) for a, b in zip(before, flat.parameters, strict=True))
    assert [id(p) for p in flat.parameters] == [id(p) for m in modules for p in m.parameters()]
    modules[0].load_state_dict({"weight": torch.ones(4, 3), "bias": torch.zeros(4)})
    assert torch.equal(flat.block[:16].detach(), torch.cat([torch.ones(12), torch.zeros(4)]))
    assert is_bound(flat)
    loss = modules[1](modules[0](torch.randn(5, 3))).square().sum()
    flat.set_grads(loss)
    loss = modules[1](modules[0](torch.randn(5, 3))).square().sum()
    expected = torch.autograd.grad(loss, flat.parameters, retain_graph=True)
    flat.set_grads(loss)
    assert torch.equal(flat.block.grad, torch.cat([g.flatten() for g in expected]))


def test_a_deep_copy_of_flat_parameters_is_bound_to_its_own_block():
    holder = {"modules": two_modules()}
    holder["flat"] = FlatParameters(holder["modules"])
    for order in (("modules", "flat"), ("flat", "modules")):
        copied = copy.deepcopy({name: holder[name] for name in order})
        assert copied["flat"].parameters[0] is copied["modules"][0].weight
        before = holder["flat"].block.detach().clone()
        assert is_bound(copied["flat"])
        assert torch.equal(holder["flat"].block, before)
