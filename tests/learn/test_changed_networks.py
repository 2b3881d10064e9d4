"""Networks of pyqmix that a user's function changed: the learner learns, copies and acts by what they are now."""

import pytest
import torch
from random_episodes import SPEC, make_batch
from torch import nn
from torch.nn.utils import prune
from torch.nn.utils.parametrizations import orthogonal, spectral_norm

from pyqmix import Config, ConfigError
from pyqmix.learn.learner import Learner
from pyqmix.nn import GRUAgent, MLPAgent
from pyqmix.nn.linear import Linear
from pyqmix.play.actor import native_policy


def make_learner(change, kind=MLPAgent, share=True):
    def agent(obs_dim, n_actions, n_agents, agent_id):
        made = kind(obs_dim, n_actions, n_agents, 8, agent_id, share)
        change(made)
        return made

    config = Config(embed_dim=4, hypernet_dim=6, share_parameters=True, lr=0.01).with_own(agent=agent)
    return Learner(SPEC, config, dtype=torch.float64)


def freeze(agent):
    agent.fc2.requires_grad_(False)


def mask_gradient(agent):
    for parameter in agent.fc2.parameters():
        parameter.register_hook(torch.zeros_like)


@pytest.mark.parametrize("change", [freeze, mask_gradient])
def test_parameters_that_are_held_stay(change):
    learner = make_learner(change)
    before = {name: p.detach().clone() for name, p in learner.agent.named_parameters()}
    learner.update(make_batch())
    for name, parameter in learner.agent.named_parameters():
        assert torch.equal(parameter, before[name]) == name.startswith("fc2")


def old_weight_norm(module, name):
    with pytest.warns(FutureWarning, match="weight_norm"):
        nn.utils.weight_norm(module, name)


@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize(
    "change",
    [lambda module, name: prune.l1_unstructured(module, name, 0.5), old_weight_norm, orthogonal, spectral_norm],
    ids=["pruned", "old_weight_norm", "orthogonal", "spectral_norm"],
)
def test_computed_weights_are_learned_and_copied(change, share):
    def of_all(agent):
        change(agent.fc2, "weight")
        change(agent.rnn, "weight_hh_l0")

    learner, batch = make_learner(of_all, GRUAgent, share), make_batch()
    obs = torch.randn(4, SPEC.n_agents, SPEC.obs_dim, dtype=torch.float64)
    networks = learner.networks
    before = networks.agent.act(obs, networks.agent.initial_hidden(4))[0]
    for _ in range(2):
        learner.update(batch)
    networks.update_targets(1.0)
    ours, theirs = (
        agent.act(obs, agent.initial_hidden(4))[0] for agent in (networks.agent, networks.target_agent)
    )
    assert not torch.allclose(ours, before)
    torch.testing.assert_close(ours, theirs)


def widen(agent):
    agent.fc2, agent.fc3 = Linear(8, 12), Linear(12, agent.fc3.out_features)


def reorder(agent):
    first = agent.fc1
    del agent.fc1
    agent.fc1 = first


def share_bias(agent):
    agent.fc2.bias = agent.fc1.bias


def add(agent):
    agent.more = nn.Parameter(torch.zeros(3))


@pytest.mark.parametrize("change", [widen, reorder, share_bias, add])
def test_other_parameters_than_the_kinds_are_left_to_pytorch(change):
    learner = make_learner(change)
    assert native_policy(learner.agent, SPEC) is None
    assert torch.isfinite(learner.update(make_batch()).loss)


def test_a_function_that_is_not_told_of_the_agent_id_is_refused():
    def agent(obs_dim, n_actions, n_agents):
        return MLPAgent(obs_dim, n_actions, n_agents)

    with pytest.raises(ConfigError, match="expected a parameter agent_id"):
        Learner(SPEC, Config().with_own(agent=agent))
