"""Agent networks and mixers."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from pyqmix import NetworkSpec, ops
from pyqmix.nn import GRUAgent, IQLMixer, MLPAgent, QMixer, VDNMixer, make_agent, make_mixer
from pyqmix.nn.actor_weights import ActorWeights
from pyqmix.ops import reference


class PlainMixer(nn.Module):
    """The mixing network written out with PyMARL's parameter names."""

    def __init__(self, n, state_dim, embed, hypernet_dim, layers):
        super().__init__()
        self.n, self.embed = n, embed

        def hyper(out):
            if layers == 1:
                return nn.Linear(state_dim, out)
            return nn.Sequential(nn.Linear(state_dim, hypernet_dim), nn.ReLU(), nn.Linear(hypernet_dim, out))

        self.hyper_w_1, self.hyper_w_final = hyper(n * embed), hyper(embed)
        self.hyper_b_1 = nn.Linear(state_dim, embed)
        self.V = nn.Sequential(nn.Linear(state_dim, embed), nn.ReLU(), nn.Linear(embed, 1))

    def forward(self, agent_qs, states):
        w1 = self.hyper_w_1(states).abs().unflatten(-1, (self.n, self.embed))
        hidden = nn.functional.elu((agent_qs.unsqueeze(-2) @ w1).squeeze(-2) + self.hyper_b_1(states))
        return (hidden * self.hyper_w_final(states).abs()).sum(-1) + self.V(states).squeeze(-1)


def gradients(mixer, agent_qs, states):
    mixer.zero_grad()
    leaf = agent_qs.clone().requires_grad_()
    q_tot = mixer(leaf, states)
    q_tot.square().sum().backward()
    parameters = dict(sorted(mixer.named_parameters()))
    return [q_tot.detach(), leaf.grad, *(p.grad for p in parameters.values())]


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("lead", [(7,), (2, 3), ()])
def test_qmixer_exchanges_weights_with_a_plain_mixer_both_ways(layers, lead):
    torch.manual_seed(0)
    ours = QMixer(3, 10, embed_dim=8, hypernet_dim=16, hypernet_layers=layers).double()
    plain = PlainMixer(3, 10, 8, 16, layers).double()
    agent_qs = torch.randn(*lead, 3, dtype=torch.float64)
    states = torch.randn(*lead, 10, dtype=torch.float64)
    assert not torch.allclose(ours(agent_qs, states), plain(agent_qs, states))
    for source, target in ((plain, ours), (ours, plain)):
        with torch.no_grad():
            for parameter in source.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.1)
        target.load_state_dict(source.state_dict())
        for a, b in zip(gradients(ours, agent_qs, states), gradients(plain, agent_qs, states), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-11)


def test_qmixer_names_its_parameters_as_pymarl_does():
    two = {name for name, _ in QMixer(2, 5).named_parameters()}
    assert {"hyper_w_1.0.weight", "hyper_w_1.2.bias", "hyper_b_1.weight", "V.0.weight", "V.2.bias"} <= two
    one = {name for name, _ in QMixer(2, 5, hypernet_layers=1).named_parameters()}
    assert {"hyper_w_1.weight", "hyper_w_final.bias"} <= one


def test_qmixer_survives_deepcopy_and_dtype_changes():
    mixer = QMixer(2, 5)
    twin = copy.deepcopy(mixer)
    agent_qs, states = torch.randn(4, 2), torch.randn(4, 5)
    assert torch.equal(twin(agent_qs, states), mixer(agent_qs, states))
    with torch.no_grad():
        mixer.hyper_b_1.bias.add_(1.0)
    assert not torch.equal(twin(agent_qs, states), mixer(agent_qs, states))
    doubled = mixer.double()(agent_qs.double(), states.double())
    assert doubled.dtype == torch.float64


WRONG = [
    ((torch.zeros(4, 3), torch.zeros(4, 5)), ValueError, r"agent_qs: expected 2 agents, got shape \(4, 3\)"),
    ((torch.zeros(4, 2), torch.zeros(4, 6)), ValueError, r"states: expected \(4, 5\) float32 .* got \(4, 6\)"),
    ((torch.zeros(4, 2), torch.zeros(3, 5)), ValueError, r"states: expected \(4, 5\) float32 .* got \(3, 5\)"),
    ((torch.zeros(4, 2), torch.zeros(4, 5).double()), TypeError, r"states: .* got \(4, 5\) float64 on cpu"),
    ((torch.zeros(4, 2).double(), torch.zeros(4, 5)), TypeError, r"agent_qs: .* got \(4, 2\) float64 on cpu"),
]


@pytest.mark.parametrize(("inputs", "error", "match"), WRONG)
def test_qmixer_names_the_argument_that_does_not_fit(inputs, error, match):
    with pytest.raises(error, match=match):
        QMixer(2, 5)(*inputs)


@pytest.mark.parametrize("sizes", [{"n_agents": 0}, {"state_dim": -1}, {"embed_dim": 1.5}, {"hypernet_layers": 3}])
def test_qmixer_refuses_unusable_sizes(sizes):
    with pytest.raises(ValueError, match=f"{next(iter(sizes))}: expected"):
        QMixer(**{"n_agents": 2, "state_dim": 5, **sizes})


def test_vdn_sums_and_iql_leaves_the_values_alone():
    agent_qs, states = torch.randn(4, 3), torch.randn(4, 5)
    assert torch.equal(VDNMixer()(agent_qs, states), agent_qs.sum(-1))
    assert torch.equal(IQLMixer()(agent_qs, states), agent_qs)


@pytest.mark.parametrize("double_q", [False, True])
def test_targets_of_vdn_and_iql_follow_their_definition(double_q):
    torch.manual_seed(1)
    next_qs, online = torch.randn(5, 2, 3), torch.randn(5, 2, 3)
    avail = torch.rand(5, 2, 3) < 0.6
    avail[..., 0] = True
    rewards, terminated = torch.randn(5), torch.tensor([0, 1, 0, 0, 1]).bool()
    args = (next_qs, avail, rewards, terminated, 0.9, torch.zeros(5, 4), online if double_q else None)
    vdn, iql = VDNMixer().td_target(*args), IQLMixer().td_target(*args)
    for row in range(5):
        best = []
        for agent in range(2):
            choosing = (online if double_q else next_qs)[row, agent]
            actions = [a for a in range(3) if avail[row, agent, a]]
            action = max(actions, key=lambda a, values=choosing: float(values[a]))
            best.append(float(next_qs[row, agent, action]))
        go_on = 0.0 if terminated[row] else 0.9
        assert float(vdn[row]) == pytest.approx(float(rewards[row]) + go_on * sum(best), abs=1e-6)
        for agent in range(2):
            expected = float(rewards[row]) + go_on * best[agent]
            assert float(iql[row, agent]) == pytest.approx(expected, abs=1e-6)


def test_agent_id_equals_a_one_hot_input():
    agent = MLPAgent(obs_dim=4, n_actions=3, n_agents=2, hidden_dim=8)
    obs = torch.randn(5, 2, 4)
    written_out = torch.cat([obs, torch.eye(2).expand(5, 2, 2)], dim=-1)
    hidden = torch.relu(nn.functional.linear(written_out, agent.fc1.weight, agent.fc1.bias))
    expected = agent.fc3(torch.relu(agent.fc2(hidden)))
    torch.testing.assert_close(agent.unroll(obs), expected)
    blind = MLPAgent(4, 3, 2, 8, agent_id=False)
    same = torch.randn(1, 1, 4).expand(1, 2, 4)
    assert torch.equal(blind.unroll(same)[0, 0], blind.unroll(same)[0, 1])
    assert not torch.equal(agent.unroll(same)[0, 0], agent.unroll(same)[0, 1])


@pytest.mark.parametrize("share", [True, False])
def test_gru_unrolled_equals_gru_stepped_from_zero(share):
    """Three episodes of different lengths, packed; each starts from a hidden state of zero."""
    torch.manual_seed(2)
    agent = GRUAgent(obs_dim=4, n_actions=3, n_agents=2, hidden_dim=8, share_parameters=share)
    lengths = [5, 3, 1]
    episodes = [torch.randn(length, 2, 4) for length in lengths]
    counts = torch.tensor([sum(length > t for length in lengths) for t in range(5)])
    rows = [(t, k) for t in range(5) for k in range(3) if t < lengths[k]]
    unrolled = agent.unroll(torch.stack([episodes[k][t] for t, k in rows]), counts)
    for k, episode in enumerate(episodes):
        hidden = agent.initial_hidden(1)
        assert not hidden.any()
        for t, obs in enumerate(episode):
            qs, hidden = agent.act(obs.unsqueeze(0), hidden)
            torch.testing.assert_close(unrolled[rows.index((t, k))], qs[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [MLPAgent, GRUAgent])
def test_networks_of_their_own_are_those_of_one_agent_each(kind):
    torch.manual_seed(3)
    own = kind(obs_dim=4, n_actions=3, n_agents=3, hidden_dim=8, share_parameters=False)
    obs, counts = torch.randn(9, 3, 4), torch.tensor([4, 3, 2])
    together = own.unroll(obs, counts)
    for i in range(3):
        alone = kind(obs_dim=4, n_actions=3, n_agents=1, hidden_dim=8, agent_id=False)
        alone.load_state_dict({name: value[i] for name, value in own.state_dict().items()})
        torch.testing.assert_close(together[:, i], alone.unroll(obs[:, i : i + 1], counts)[:, 0])
    assert len(set(own.fc1.bias[:, 0].tolist())) == 3
    twin = copy.deepcopy(own)
    assert torch.equal(twin.unroll(obs, counts), together)


def test_reference_is_what_qmixer_computes():
    mixer = QMixer(2, 5).double()
    agent_qs, states = torch.randn(4, 2).double(), torch.randn(4, 5).double()
    expected = reference.mix(agent_qs, *mixer.hypernetworks(states))
    torch.testing.assert_close(mixer(agent_qs, states), expected)


@pytest.mark.parametrize("layers", [1, 2])
def test_stacked_hypernetworks_are_the_same(layers):
    torch.manual_seed(0)
    mixer = QMixer(3, 7, 5, 6, layers).double()
    states = torch.randn(4, 7, dtype=torch.float64)
    results = []
    for weights in (mixer.hypernetworks(states), mixer._stacked(states, mixer.untouched_parameters())):
        q_tot = ops.mix(torch.linspace(-1, 1, 12, dtype=torch.float64).view(4, 3), *weights)
        results.append([*weights, *torch.autograd.grad(q_tot.square().sum(), list(mixer.parameters()))])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b)


def test_actor_weights_carry_an_agent_to_another():
    spec = NetworkSpec(n_agents=2, obs_dim=4, n_actions=3, state_dim=5, agent="gru", hidden_dims=(8, 8))
    agent, actor = make_agent(spec).double(), make_agent(spec)
    weights = ActorWeights.of(agent)
    assert weights.block.dtype == np.float32
    weights.load_into(actor)
    for ours, theirs in zip(agent.parameters(), actor.parameters(), strict=True):
        assert torch.equal(ours.float(), theirs)
    assert [p.shape for p in actor.parameters()] == spec.agent_parameters()
    other = dataclasses.replace(spec, hidden_dims=(8, 9))
    with pytest.raises(ValueError, match=r"hidden_dims: expected one width for all hidden layers, got \(8, 9\)"):
        make_agent(other)


@pytest.mark.parametrize("name", ["vdn", "iql", "qmix"])
def test_every_mixer_is_made_by_name(name):
    spec = NetworkSpec(n_agents=2, obs_dim=3, n_actions=4, state_dim=6, mixer=name)
    assert make_mixer(spec)(torch.zeros(5, 2), torch.zeros(5, 6)).shape[0] == 5
