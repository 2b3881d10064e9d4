"""Linear layers with their ReLU against torch's."""

import sys

import pytest
import torch
import torch.nn.functional as F
from gpu_stand_in import stand_in

from pyqmix import ops
from pyqmix.nn import MLPAgent, QMixer
from pyqmix.nn.linear import Linear, TwoLayers
from pyqmix.ops import reference

module = sys.modules["pyqmix.ops.linear"]  # the package shows the function by this name


def make(rows=(5, 3), inputs=4, outputs=6, groups=(), dtype=torch.float64):
    torch.manual_seed(0)
    shapes = ((*rows, inputs), (outputs, inputs), (*groups, outputs))
    return [torch.randn(shape, dtype=dtype).requires_grad_() for shape in shapes]


def value_and_grads(layer, tensors, relu):
    leaves = [x.detach().clone().requires_grad_() for x in tensors]
    out = layer(*leaves, relu)
    weights = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view(out.shape)
    return [out.detach(), *torch.autograd.grad((out * weights).sum(), leaves)]


def plain(inputs, weight, bias, relu):
    out = inputs @ weight.T + bias
    passes = torch.arange(out.shape[-1]) < (out.shape[-1] * relu if isinstance(relu, bool) else relu)
    return torch.where(passes, out.clamp(min=0), out)


def ways(*shapes):
    """With a ReLU, without, and behind a part of the outputs where no group has its own."""
    return [
        (rows, groups, relu) for rows, groups in shapes for relu in (False, True, *(() if groups else (2, 0, 6)))
    ]


SHAPES = [((7,), ()), ((5, 3), ()), ((5, 3), (3,)), ((2, 5, 3), (3,)), ((0, 3), (3,))]


@pytest.mark.parametrize(("rows", "groups", "relu"), ways(*SHAPES))
def test_equals_what_it_says(rows, groups, relu):
    tensors = make(rows, groups=groups)
    for a, b in zip(
        value_and_grads(ops.linear, tensors, relu), value_and_grads(plain, tensors, relu), strict=True
    ):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(("rows", "groups", "relu"), ways(*SHAPES))
def test_the_fused_way_hands_over_what_the_kernels_need(monkeypatch, rows, groups, relu):
    extension = stand_in(monkeypatch, module)
    tensors = make(rows, groups=groups)

    def fused(inputs, weight, bias, relu):
        return module._Linear.apply(inputs, weight, bias, len(weight) * relu if isinstance(relu, bool) else relu)

    for a, b in zip(value_and_grads(fused, tensors, relu), value_and_grads(plain, tensors, relu), strict=True):
        torch.testing.assert_close(a, b)
    assert extension.calls == ["bias_relu", "bias_relu_backward"]


def test_gradients_of_any_layout_are_read(monkeypatch):
    stand_in(monkeypatch, module)
    inputs, weight, bias = make((5, 3))
    (ours,) = torch.autograd.grad(module._Linear.apply(inputs, weight, bias, 6).sum(), bias)  # expanded
    (truth,) = torch.autograd.grad(plain(inputs, weight, bias, True).sum(), bias)
    torch.testing.assert_close(ours, truth)
    strided = weight.detach().repeat(1, 2)[:, :4].requires_grad_()
    torch.testing.assert_close(
        module._Linear.apply(inputs.transpose(0, 1), strided, bias, 0),
        plain(inputs.transpose(0, 1), weight, bias, False),
    )


def test_inputs_without_gradient_get_none(monkeypatch):
    stand_in(monkeypatch, module)
    inputs, weight, bias = make()
    out = module._Linear.apply(inputs.detach(), weight, bias, 6)
    assert all(x is not None for x in torch.autograd.grad(out.sum(), (weight, bias)))


def test_second_derivatives_are_torchs(monkeypatch):
    stand_in(monkeypatch, module)
    tensors, results = make(), []
    for outputs in (module._Linear.apply(*tensors, 6), reference.linear(*tensors, 6)):
        first = torch.autograd.grad(outputs.square().sum(), tensors, create_graph=True)
        results.append(torch.autograd.grad(sum(x.square().sum() for x in first), tensors))
    for got, expected in zip(*results, strict=True):
        torch.testing.assert_close(got, expected)


def test_layers_are_torchs():
    torch.manual_seed(0)
    ours, layers = Linear(4, 6), TwoLayers(4, 5, 2)
    inputs = torch.randn(3, 4)
    torch.testing.assert_close(ours(inputs, relu=True), F.relu(F.linear(inputs, ours.weight, ours.bias)))
    twin = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2))
    twin.load_state_dict(layers.state_dict())
    torch.testing.assert_close(layers(inputs), twin(inputs))


BAD = [
    (0, lambda x: x.int(), TypeError, r"inputs: expected \(..., I\)"),
    (0, lambda x: x[..., :3], ValueError, r"weight: expected \(6, 3\)"),
    (1, lambda x: x.float(), TypeError, r"weight: expected \(6, 4\) float64"),
    (2, lambda x: x[:5], ValueError, r"bias: expected \(6,\)"),
    (2, lambda x: x.repeat(2, 1), ValueError, r"bias: expected \(3, 6\)"),
    (1, lambda x: None, TypeError, r"weight: expected \(O, I\) float32 or float64, got NoneType"),
    (2, lambda x: None, TypeError, r"bias: expected .*, got NoneType"),
    (1, lambda x: x[:0], ValueError, r"weight: expected \(O, I\)"),
    (2, lambda x: x.to("meta"), ValueError, r"bias: expected \(6,\) float64 on cpu"),
]


@pytest.mark.parametrize(("place", "change", "error", "message"), BAD)
def test_unusable_arguments_are_named(place, change, error, message):
    tensors = [x.detach() for x in make()]
    tensors[place] = change(tensors[place])
    with pytest.raises(error, match=message):
        ops.linear(*tensors)


def test_a_relu_has_only_outputs_that_there_are():
    for relu, groups in ((7, ()), (-1, ()), (2, (3,))):
        with pytest.raises(ValueError, match="relu: expected at most 6 outputs"):
            ops.linear(*make(groups=groups), relu)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_lower_precision_and_autocast_are_torchs(dtype):
    inputs, weight, bias = (x.detach().to(dtype) for x in make())
    torch.testing.assert_close(ops.linear(inputs, weight, bias, True), F.linear(inputs, weight, bias).relu())
    inputs, weight, bias = (x.detach().float() for x in make())
    with torch.autocast("cpu", torch.bfloat16):
        assert ops.linear(inputs, weight, bias).dtype == torch.bfloat16
        assert ops.linear(inputs.bfloat16(), weight, bias, 3).dtype == torch.bfloat16
        agent = MLPAgent(4, 5, 3, hidden_dim=6)
        assert agent.act(inputs, None)[0].dtype == torch.bfloat16
        assert QMixer(3, 4, 5, 6).hypernetworks(inputs)[0].dtype == torch.bfloat16
