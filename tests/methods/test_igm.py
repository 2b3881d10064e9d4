"""The agents' own greedy actions are the joint value's, by enumeration, and what is monotone is monotone."""

import itertools

import pytest
import torch

from pyqmix import NetworkSpec
from pyqmix.methods import OWQMIX, QPLEX, Qatten
from pyqmix.methods.greedy import greedy_actions, of_actions

S, OBS = 4, 3
SIZES = [(2, 2), (2, 4), (3, 2), (3, 3)]


def spread(mixer, seed):
    """Give a mixer parameters of a size at which its networks are far from linear."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in mixer.parameters():
            parameter.normal_(std=1.5)
    return mixer.double()


def joint_mixer(kind, n, a):
    if kind == "qplex":
        return QPLEX(n, S, a, hypernet_dim=6, n_heads=3, attention_layers=2, attention_dim=6)
    if kind == "qatten":
        return Qatten(n, S, OBS, hypernet_dim=6, embed_dim=5)
    return OWQMIX(n, S, NetworkSpec(n_agents=n, obs_dim=OBS, n_actions=a, state_dim=S), central_dim=4)


def joint_values(kind, mixer, qs, avail, state, obs):
    """The value of every joint action, by its actions; that of an unavailable one is -inf."""
    n, a = qs.shape
    actions = torch.tensor(list(itertools.product(range(a), repeat=n)))
    chosen, states = of_actions(qs.expand(len(actions), n, a), actions), state.expand(len(actions), S)
    if kind == "qplex":
        greatest = qs.masked_fill(~avail, -torch.inf).amax(-1).expand(len(actions), n)
        values = mixer(chosen, greatest, states, actions)
    elif kind == "qatten":
        values = mixer(chosen, states, obs.expand(len(actions), n, OBS))
    else:
        values = mixer(chosen, states)
    possible = torch.stack([avail[i, actions[:, i]] for i in range(n)], -1).all(-1)
    return actions, values.masked_fill(~possible, -torch.inf)


@pytest.mark.parametrize("kind", ["qplex", "qatten", "qmix"])
@pytest.mark.parametrize(("n", "a"), SIZES)
def test_the_greedy_joint_action_is_that_of_the_agents(kind, n, a):
    for seed in range(6):
        mixer = spread(joint_mixer(kind, n, a), seed)
        qs, state = torch.randn(n, a, dtype=torch.float64), torch.randn(S, dtype=torch.float64)
        avail = torch.rand(n, a) < 0.6
        avail[torch.arange(n), torch.randint(a, (n,))] = True
        with torch.no_grad():
            actions, values = joint_values(kind, mixer, qs, avail, state, torch.randn(n, OBS, dtype=torch.float64))
        best = actions[values >= values.max() - 1e-12]  # weights near zero make ties
        assert greedy_actions(qs, avail).tolist() in best.tolist()


@pytest.mark.parametrize("kind", ["qatten", "qmix"])
def test_no_value_falls_when_an_agents_rises(kind):
    mixer = spread(joint_mixer(kind, 3, 2), 0)
    qs, states = torch.randn(50, 3, dtype=torch.float64, requires_grad=True), torch.randn(50, S).double()
    extra = (torch.randn(50, 3, OBS).double(),) if kind == "qatten" else ()
    (slopes,) = torch.autograd.grad(mixer(qs, states, *extra).sum(), qs)
    assert slopes.min() >= 0
    assert slopes.max() > 0.1


def test_qplex_weights_joint_actions_apart():
    """The importance of an agent's advantage depends on the others' actions, which QMIX cannot represent."""
    mixer = spread(joint_mixer("qplex", 2, 3), 0)
    actions = torch.tensor(list(itertools.product(range(3), repeat=2)))
    weights = mixer.importance(torch.randn(S).double().expand(9, S), actions)
    assert weights.min() > 0
    assert weights.view(3, 3, 2)[0, :, 0].std() > 1e-3
