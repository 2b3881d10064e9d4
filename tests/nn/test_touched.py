"""Networks that somebody changed: their layers are called, whatever was done to them, and hooks fire."""

import copy
import pickle
import types

import pytest
import torch
import torch.nn.utils.parametrize as parametrize
from torch import nn
from torch.nn.utils import prune
from torch.nn.utils.parametrizations import orthogonal, spectral_norm, weight_norm
from transformed import ACTIONS, AGENTS, HIDDEN, OBS, ROWS, SIZES, STATE, draw

from pyqmix import ops
from pyqmix.nn import GRUAgent, IQLMixer, MLPAgent, QMixer, VDNMixer
from pyqmix.nn.linear import Linear, TwoLayers
from pyqmix.nn.native import native_kind
from pyqmix.ops import reference


class Lora(nn.Module):
    """An adapter around a layer, as PEFT has them."""

    def __init__(self, base):
        super().__init__()
        self.base = base
        self.a = nn.Parameter(draw(2, base.in_features))
        self.b = nn.Parameter(draw(base.out_features, 2))

    def forward(self, inputs):
        return self.base(inputs) + inputs @ self.a.T @ self.b.T


class Doubled(nn.Linear):
    def forward(self, inputs):
        return 2 * super().forward(inputs)


def doubled(layer):
    other = Doubled(layer.in_features, layer.out_features).double()
    other.load_state_dict(layer.state_dict())
    return other


def replace(module, path, change):
    parent, _, name = path.rpartition(".")
    parent = module.get_submodule(parent)
    setattr(parent, name, change(getattr(parent, name)))


def patch(layer):
    layer.forward = types.MethodType(lambda self, x: 3 * (x @ self.weight.T + self.bias), layer)
    return layer


def hook(layer):
    layer.register_forward_hook(lambda module, inputs, output: output * 2)
    return layer


def pre_hook(layer):
    layer.register_forward_pre_hook(lambda module, inputs: (inputs[0] + 1,))
    return layer


def pruned(layer):
    prune.l1_unstructured(layer, "weight", amount=0.5)
    return layer


class Positive(nn.Module):
    def forward(self, weight):
        return weight.exp()


def exponential(layer):
    parametrize.register_parametrization(layer, "weight", Positive())
    return layer


def old_weight_norm(layer):
    with pytest.warns(FutureWarning, match="weight_norm"):
        nn.utils.weight_norm(layer)
    with torch.no_grad():
        layer.weight_g.mul_(2)
    return layer


def new_weight_norm(layer):
    weight_norm(layer)
    with torch.no_grad():
        layer.parametrizations.weight.original0.mul_(2)
    return layer


CHANGES = {
    "lora": Lora,
    "subclass": doubled,
    "method": patch,
    "hook": hook,
    "pre_hook": pre_hook,
    "pruning": pruned,
    "parametrisation": exponential,
    "weight_norm": new_weight_norm,
    "weight_norm_old": old_weight_norm,
    "spectral_norm": spectral_norm,
    "spectral_norm_old": nn.utils.spectral_norm,
    "orthogonal": orthogonal,
    "linear": lambda layer: doubled(layer).requires_grad_(False),
}
LAYERS = ["hyper_w_1.0", "hyper_w_1.2", "hyper_b_1", "hyper_w_final.0", "hyper_w_final.2", "V.0", "V.2"]


def mixer_of(layers=2):
    torch.manual_seed(0)
    return QMixer(AGENTS, STATE, 6, 2, layers).double().eval()


def by_layers(mixer, agent_qs, states):
    """The network as its definition has it, by calling whatever stands in the layers' places."""

    def apply(module):
        return nn.Sequential.forward(module, states) if type(module) is TwoLayers else module(states)

    weights = (apply(module) for module in (mixer.hyper_w_1, mixer.hyper_b_1, mixer.hyper_w_final))
    return reference.mix(agent_qs, *weights, apply(mixer.V).squeeze(-1))


def require_by_layers(mixer):
    """Value, gradients, loss and target are those of the changed layers."""
    agent_qs, states = draw(ROWS, AGENTS).requires_grad_(), draw(ROWS, STATE)
    got, expected = mixer(agent_qs, states), by_layers(mixer, agent_qs, states)
    torch.testing.assert_close(got, expected)
    wanted = [agent_qs, *(p for p in mixer.parameters() if p.requires_grad)]
    grads = (torch.autograd.grad(x.square().sum(), wanted, allow_unused=True) for x in (got, expected))
    for ours, theirs in zip(*grads, strict=True):
        torch.testing.assert_close(ours, theirs)
    targets, weights = draw(ROWS), draw(ROWS).abs()
    loss, q_tot = mixer.loss(agent_qs, states, targets, weights)
    torch.testing.assert_close(loss, (weights * (targets - expected).square()).sum())
    torch.testing.assert_close(q_tot, expected)
    next_qs, avail = draw(ROWS, AGENTS, ACTIONS), torch.ones(ROWS, AGENTS, ACTIONS, dtype=torch.bool)
    target = mixer.td_target(next_qs, avail, targets, torch.zeros(ROWS, dtype=torch.bool), 0.9, states)
    torch.testing.assert_close(target, targets + 0.9 * by_layers(mixer, next_qs.amax(-1), states))
    assert native_kind(mixer) is None


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("layer", LAYERS)
def test_a_changed_layer_of_the_mixer_is_called(layer, change):
    mixer = mixer_of()
    replace(mixer, layer, CHANGES[change])
    require_by_layers(mixer)


@pytest.mark.parametrize("layer", ["hyper_w_1", "hyper_b_1", "hyper_w_final"])
def test_a_changed_hypernetwork_of_one_layer_is_called(layer):
    mixer = mixer_of(1)
    replace(mixer, layer, Lora)
    require_by_layers(mixer)


@pytest.mark.parametrize(
    "activation",
    [nn.Tanh(), nn.LeakyReLU(), hook(nn.ReLU()), nn.Sequential(nn.ReLU())],
    ids=["tanh", "leaky", "hook", "wrap"],
)
@pytest.mark.parametrize("network", ["hyper_w_1", "hyper_w_final", "V"])
def test_another_activation_is_called(network, activation):
    mixer = mixer_of()
    mixer.get_submodule(network)[1] = activation
    require_by_layers(mixer)


def test_layers_that_are_added_or_replaced_whole_are_called():
    for change in (lambda net: net.append(nn.Tanh()), lambda net: nn.Sequential(*net), other_layers):
        mixer = mixer_of()
        replace(mixer, "V", change)
        require_by_layers(mixer)


def test_a_hook_of_a_whole_hypernetwork_fires():
    mixer, agent_qs, states = mixer_of(), draw(ROWS, AGENTS), draw(ROWS, STATE)
    before, v = mixer(agent_qs, states), mixer.V(states).squeeze(-1)
    hook(mixer.V)
    torch.testing.assert_close(mixer(agent_qs, states), before + v)
    assert native_kind(mixer) is None


def other_layers(sequence):
    return nn.Sequential(sequence[0], nn.ELU(), sequence[2], nn.Softplus())


def hypernetworks(self, states):
    w1, b1, w_final, v = QMixer.hypernetworks(self, states)
    return w1 + 1, b1, w_final, v * 2


class Own(QMixer):
    hypernetworks = hypernetworks


def test_hypernetworks_of_ones_own_are_used():
    own, patched = Own(AGENTS, STATE, 6, 2).double(), mixer_of()
    patched.hypernetworks = types.MethodType(hypernetworks, patched)
    for mixer in (own, patched):
        agent_qs, states, targets = draw(ROWS, AGENTS), draw(ROWS, STATE), draw(ROWS)
        expected = reference.mix(agent_qs, *hypernetworks(mixer, states))
        torch.testing.assert_close(mixer(agent_qs, states), expected)
        loss, _ = mixer.loss(agent_qs, states, targets, torch.ones_like(targets))
        torch.testing.assert_close(loss, (targets - expected).square().sum())
        assert native_kind(mixer) is None


def test_a_hook_on_the_mixer_changes_its_loss_and_target_too():
    mixer = hook(mixer_of())
    agent_qs, states, targets = draw(ROWS, AGENTS), draw(ROWS, STATE), draw(ROWS)
    expected = 2 * by_layers(mixer, agent_qs, states)
    torch.testing.assert_close(mixer(agent_qs, states), expected)
    loss, values = mixer.loss(agent_qs, states, targets, torch.ones_like(targets))
    torch.testing.assert_close(loss, (targets - expected).square().sum())
    torch.testing.assert_close(values, expected)
    avail = torch.ones(ROWS, AGENTS, 1, dtype=torch.bool)
    target = mixer.td_target(agent_qs.unsqueeze(-1), avail, targets, avail[:, 0, 0] & False, 0.9, states)
    torch.testing.assert_close(target, targets + 0.9 * expected)


@pytest.mark.parametrize(
    "register", ["forward_hook", "forward_pre_hook", "full_backward_hook", "full_backward_pre_hook"]
)
@pytest.mark.parametrize("globally", [False, True])
def test_hooks_fire(register, globally):
    mixer, fired = mixer_of(), []
    registrar = nn.modules.module if globally else mixer.V[0]
    name = f"register_module_{register}" if globally else f"register_{register}"
    handle = getattr(registrar, name)(lambda module, *rest: fired.append(module))
    try:
        mixer(draw(ROWS, AGENTS), draw(ROWS, STATE).requires_grad_()).sum().backward()
    finally:
        handle.remove()
    assert mixer.V[0] in fired
    fired.clear()
    mixer(draw(ROWS, AGENTS), draw(ROWS, STATE)).sum().backward()
    assert not fired


def agent_of(kind, share=True, agent_id=True):
    torch.manual_seed(0)
    agent = kind(OBS, ACTIONS, AGENTS, HIDDEN, share_parameters=share, agent_id=agent_id).double().eval()
    return agent


def agent_by_layers(agent, obs):
    """The values as their definition has them, of an agent whose first layer reads the one-hot ids too."""
    ids = torch.eye(AGENTS, dtype=obs.dtype).expand(ROWS, -1, -1) if agent.agent_id else obs[..., :0]
    hidden = agent.fc1(torch.cat([obs, ids], -1)).relu()
    if isinstance(agent, MLPAgent):
        return agent.fc3(agent.fc2(hidden).relu())
    packed = nn.utils.rnn.PackedSequence(hidden.flatten(0, 1), SIZES * AGENTS)
    return agent.fc2(agent.rnn(packed)[0].data).unflatten(0, (-1, AGENTS))


@pytest.mark.parametrize("agent_id", [True, False])
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    ("kind", "layer"),
    [(MLPAgent, "fc1"), (MLPAgent, "fc2"), (MLPAgent, "fc3"), (GRUAgent, "fc1"), (GRUAgent, "fc2")],
)
def test_a_changed_layer_of_an_agent_is_called(kind, layer, change, agent_id):
    agent = agent_of(kind, agent_id=agent_id)
    replace(agent, layer, CHANGES[change])
    obs = draw(ROWS, AGENTS, OBS)
    got, expected = agent.unroll(obs, SIZES), agent_by_layers(agent, obs)
    torch.testing.assert_close(got, expected)
    wanted = [p for p in agent.parameters() if p.requires_grad]
    for ours, theirs in zip(
        *(torch.autograd.grad(x.square().sum(), wanted) for x in (got, expected)), strict=True
    ):
        torch.testing.assert_close(ours, theirs)
    first, _ = agent.act(obs[:3], agent.initial_hidden(3))
    torch.testing.assert_close(first, expected[:3])
    assert native_kind(agent) is None


def test_a_changed_recurrent_layer_is_called():
    agent = agent_of(GRUAgent)
    agent.rnn.register_forward_hook(
        lambda module, inputs, output: (output[0]._replace(data=2 * output[0].data), output[1])
    )
    obs = draw(ROWS, AGENTS, OBS)
    torch.testing.assert_close(agent.unroll(obs, SIZES), agent_by_layers(agent, obs))
    assert native_kind(agent) is None


def test_recurrent_layers_of_each_agents_own_are_called():
    agent, obs = agent_of(GRUAgent, share=False), draw(ROWS, AGENTS, OBS)
    before, fired = agent.unroll(obs, SIZES), []
    agent.rnn.register_forward_hook(lambda module, inputs, output: fired.append(output))
    torch.testing.assert_close(agent.unroll(obs, SIZES), before)
    torch.testing.assert_close(agent.act(obs[:3], agent.initial_hidden(3))[0], before[:3])
    assert len(fired) == 2
    prune.random_unstructured(agent.rnn, "weight_ih_l0", amount=0.5)
    with torch.no_grad():
        agent.rnn.weight_ih_l0_orig.zero_()
    agent.unroll(obs, SIZES).sum().backward()
    assert not agent.rnn.weight_ih_l0.any()


@pytest.mark.parametrize("share", [True, False])
def test_steps_of_changed_recurrent_layers_are_checked(share):
    agent = hook_nothing(agent_of(GRUAgent, share))
    for sizes in ([1, 3, 1], [3, 3]):
        with pytest.raises(ValueError, match="batch_sizes: expected"):
            agent.unroll(draw(ROWS, AGENTS, OBS), torch.tensor(sizes))
    assert agent.unroll(draw(0, AGENTS, OBS), torch.tensor([], dtype=torch.int64)).shape == (0, AGENTS, ACTIONS)


def hook_nothing(agent):
    agent.rnn.register_forward_hook(lambda module, inputs, output: None)
    return agent


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("V", lambda: TwoLayers(STATE, 9, 1)),
        ("hyper_w_final", lambda: TwoLayers(STATE, 3, 6)),
        ("hyper_w_1", lambda: Linear(STATE, AGENTS * 6)),
    ],
)
def test_layers_of_other_widths_are_called(name, layer):
    mixer = mixer_of()
    setattr(mixer, name, layer().double())
    require_by_layers(mixer)


@pytest.mark.parametrize("change", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
def test_copies_are_fused_and_have_parameters_of_their_own(change):
    for module, kind in (
        (mixer_of(), "qmix"),
        (agent_of(MLPAgent), "mlp"),
        (agent_of(GRUAgent, share=False), "gru"),
    ):
        other = change(module)
        assert native_kind(other) == native_kind(module) == kind
        for ours, theirs in zip(module.parameters(), other.parameters(), strict=True):
            assert torch.equal(ours, theirs)
            assert ours.data_ptr() != theirs.data_ptr()


def test_a_method_of_ones_own_is_not_left_out_by_the_extension():
    agent = agent_of(MLPAgent)
    agent.read = lambda obs: obs * 2
    assert native_kind(agent) is None
    agent = agent_of(MLPAgent)
    agent.note = lambda: None  # which replaces nothing
    assert native_kind(agent) == "mlp"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_computes_mixing_in_float32(dtype):
    mixer = mixer_of().float()
    agent_qs, states, targets = (draw(*shape).float() for shape in ((ROWS, AGENTS), (ROWS, STATE), (ROWS,)))
    agent_qs = agent_qs.to(dtype).float()
    arguments = (
        torch.ones(ROWS, AGENTS, 1, dtype=torch.bool),
        targets,
        torch.zeros(ROWS, dtype=torch.bool),
        0.9,
        states,
    )

    def compute(qs):
        qs = qs.detach().requires_grad_()
        q_tot = mixer(qs, states)
        loss, values = mixer.loss(qs, states, targets, targets.abs())
        target = mixer.td_target(qs.unsqueeze(-1).detach(), *arguments)
        of_op = ops.td_target(qs.unsqueeze(-1).detach(), *arguments[:-1], *mixer.hypernetworks(states))
        return [q_tot, loss, values, target, of_op]

    expected = compute(agent_qs)
    with torch.autocast("cpu", dtype=dtype):
        got = compute(agent_qs.to(dtype))
        with ops.use_backend("reference"):
            composed = compute(agent_qs.to(dtype))
    for results in (got, composed, expected):  # backward outside of autocast, as torch asks for
        results += torch.autograd.grad(results[0].sum() + results[1], [*mixer.parameters()])
    for ours, of_reference, exact in zip(got, composed, expected, strict=True):
        assert ours.dtype == exact.dtype == torch.float32
        if ours is not got[4]:  # whose hypernetworks were called under autocast
            torch.testing.assert_close(ours, exact)
            torch.testing.assert_close(of_reference, exact)


@pytest.mark.parametrize("kind", [VDNMixer, IQLMixer])
def test_autocast_computes_errors_in_float32(kind):
    qs, targets, weights = draw(ROWS, AGENTS).bfloat16(), draw(ROWS).bfloat16(), draw(ROWS).float().abs()
    mixer = kind()
    targets = targets if kind is VDNMixer else targets.unsqueeze(-1).expand_as(qs)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss, _ = mixer.loss(qs, draw(ROWS, STATE).float(), targets, weights)
        values = mixer(qs, qs).float()
    squares = (values - targets.float()).square()
    expected = weights @ (squares if kind is VDNMixer else squares.mean(-1))
    torch.testing.assert_close(loss, expected)


def test_a_composed_backward_within_autocast_is_in_float32():
    mixer, states = mixer_of().float(), draw(ROWS, STATE).float()
    grads = []
    for enabled in (False, True):
        qs = torch.linspace(-1, 1, ROWS * AGENTS).view(ROWS, AGENTS).requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            grads += torch.autograd.grad(mixer(qs, states).square().sum(), qs, create_graph=True)
    torch.testing.assert_close(*grads)


@pytest.mark.parametrize("kind", [MLPAgent, GRUAgent])
@pytest.mark.parametrize("share", [True, False])
def test_agents_under_autocast_are_near(kind, share):
    agent, obs = agent_of(kind, share).float(), draw(ROWS, AGENTS, OBS).float()
    expected = agent.unroll(obs, SIZES)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = agent.unroll(obs, SIZES)
    torch.testing.assert_close(got.float(), expected, rtol=0.05, atol=0.05)


@pytest.mark.filterwarnings("ignore:.*nested tensors:UserWarning")
def test_what_has_no_numbers_to_read_is_refused():
    mixer, qs, states = mixer_of(), draw(ROWS, AGENTS), draw(ROWS, STATE)
    nested = torch.nested.nested_tensor([qs[:2], qs[2:]], layout=torch.jagged)
    strided = torch.nested.nested_tensor([qs[:2], qs[2:]])
    for bad in (nested, strided, qs.to_sparse(), qs.half(), qs.int()):
        for call in (lambda x=bad: mixer(x, states), lambda x=bad: ops.mix(x, *mixer.hypernetworks(states))):
            with pytest.raises((TypeError, ValueError), match="agent_qs: expected"):
                call()
    freed = states.clone()
    freed.untyped_storage().resize_(0)
    for bad in (freed, torch._efficientzerotensor(states.shape, dtype=torch.float64)):
        with pytest.raises(RuntimeError, match="expected a tensor with memory"):
            mixer(qs, bad)


@pytest.mark.parametrize("name", ["mix", "mix_backward", "td_target"])
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_operators_by_name_check_precision(name, device):
    weights = [x.to(device) for x in (draw(ROWS, AGENTS * 6), draw(ROWS, 6), draw(ROWS, 6), draw(ROWS))]
    qs, flags = draw(ROWS, AGENTS).half().to(device), torch.ones(ROWS, AGENTS, 1, dtype=torch.bool, device=device)
    arguments = {
        "mix": [qs, *(x.half() for x in weights)],
        "mix_backward": [qs[:, 0], qs, *(x.half() for x in weights)],
        "td_target": [qs.unsqueeze(-1), flags, qs[:, 0], flags[:, 0, 0], 0.9, *(x.half() for x in weights), None],
    }
    with pytest.raises((TypeError, RuntimeError), match=r"expected .* float32"):
        getattr(torch.ops.pyqmix, name)(*arguments[name])
