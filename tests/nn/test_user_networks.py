"""Networks of a user's own: what they may hold, and what is said of those that do not fit."""

import copy
from types import SimpleNamespace

import pytest
import torch
import user_networks
from random_episodes import OBS, SPEC, A, N, S, make_batch, make_learner
from torch import nn

from pyqmix import Config, ConfigError, NetworkSpec
from pyqmix.learn.autograd_step import AutogradStep
from pyqmix.learn.device import try_out
from pyqmix.learn.learner import Learner, choose_step
from pyqmix.learn.native_step import NativeStep
from pyqmix.nn import MIXERS, MLPAgent, QMixer, make_agent, make_mixer, register_mixer
from pyqmix.nn.actor_weights import ActorWeights
from pyqmix.nn.buffers import persistent_buffers
from pyqmix.nn.trial import monotony_note

SIZES = {"n_agents": N, "obs_dim": OBS, "n_actions": A, "state_dim": S}


def learner_of(agent="mlp", mixer="qmix", **options):
    names = {"agent": agent, "mixer": mixer}
    own = {k: v if v.islower() else f"user_networks:{v}" for k, v in names.items()}
    return make_learner(**own, **options)


def spec_of(**names):
    return NetworkSpec(**SIZES, **{k: f"user_networks:{v}" for k, v in names.items()})


@pytest.mark.parametrize("mixer", ["vdn", "iql"])
def test_mixers_without_parameters_are_built(mixer):
    assert make_mixer(NetworkSpec(**SIZES, mixer=mixer)).native_kind is None


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_frozen_and_unused_parameters_stay_as_they_are(optimizer):
    learner = learner_of(mixer="PartlyLearned", optimizer=optimizer, lr=0.01)
    mixer, before = learner.mixer.net, copy.deepcopy(learner.mixer.net.state_dict())
    for seed in range(3):
        learner.update(make_batch(seed=seed))
    assert torch.equal(mixer.scale, before["scale"])
    assert torch.equal(mixer.unused, before["unused"])
    assert not torch.equal(mixer.bias.weight, before["bias.weight"])
    assert torch.isfinite(learner.flat.block).all()


def test_gradients_of_the_block_are_those_of_autograd():
    learner = learner_of("LearnedStartAgent", "PartlyLearned")
    batch = make_batch()
    loss, *_ = learner.loss(batch)
    learned = [p for p in learner.parameters if p.requires_grad]
    expected = torch.autograd.grad(loss, learned, materialize_grads=True, retain_graph=True)
    learner.flat.set_grads(loss)
    views = zip(learner.flat.views(learner.flat.block.grad), learner.parameters, strict=True)
    of_each = [(view, parameter.requires_grad) for view, parameter in views]
    for ours, truth in zip([view for view, is_learned in of_each if is_learned], expected, strict=True):
        assert torch.equal(ours, truth)
    assert not torch.cat([view for view, is_learned in of_each if not is_learned]).any()


def test_tied_parameters_stay_tied_and_a_learned_start_learns():
    learner = learner_of("LearnedStartAgent", lr=0.01)
    net, start = learner.agent.net, learner.agent.net.start.clone()
    learner.update(make_batch())
    assert net.again.weight is net.last.weight
    assert not torch.equal(net.start, start)
    hidden = learner.agent.initial_hidden(2)
    with torch.inference_mode():
        hidden[0] = 0.0  # as a rollout does where an episode ends
    assert (net.start != 0).all()


@pytest.mark.parametrize("tau", [1.0, 0.5])
def test_buffers_reach_the_target_network(tau):
    learner = learner_of("NormAgent", target_update=2, target_tau=tau)
    learner.update(make_batch())
    online, target = learner.agent.net.norm, learner.target_agent.net.norm
    assert not torch.equal(online.running_mean, target.running_mean)
    learner.update(make_batch(seed=1))
    assert online.num_batches_tracked == target.num_batches_tracked == 2
    assert torch.equal(online.running_mean, target.running_mean)


def test_buffers_reach_those_who_act():
    learner = learner_of("NormAgent")
    learner.update(make_batch())
    weights, actor = ActorWeights.of(learner.agent), make_agent(spec_of(agent="NormAgent"))
    weights.load_into(actor)
    assert len(weights.buffers) == len(persistent_buffers(actor)) == 3
    assert int(actor.net.norm.num_batches_tracked) == 1
    torch.testing.assert_close(actor.net.norm.running_var, learner.agent.net.norm.running_var.float())
    obs = torch.randn(5, N, OBS)
    torch.testing.assert_close(
        actor.act(obs, None)[0], learner.agent.act(obs.double(), None)[0].float(), rtol=1e-4, atol=1e-5
    )


def test_weights_of_native_agents_are_their_parameters_alone():
    agent = make_agent(NetworkSpec(**SIZES, obs_scale=(2.0,) * OBS))
    weights = ActorWeights.of(agent)
    assert weights.buffers == ()
    assert len(weights.block) == sum(p.numel() for p in agent.parameters())


def test_networks_act_in_evaluation_mode_and_learn_in_training_mode():
    learner = learner_of("NormAgent", "PartlyLearned")
    modes = []
    learner.agent.net.norm.register_forward_hook(lambda module, *_: modes.append(module.training))
    learner.target_agent.net.norm.register_forward_hook(lambda module, *_: modes.append(module.training))
    learner.update(make_batch())
    assert modes == [True, False]
    assert not learner.agent.training
    assert not learner.mixer.training
    assert not learner.target_agent.net.norm.num_batches_tracked


def test_the_seed_decides_dropout_and_torchs_generator_is_left_alone():
    def train(seed, disturbed):
        config = Config(agent="user_networks:NormAgent", seed=seed, hidden_dim=8)
        learner = Learner(SPEC, config, dtype=torch.float64)
        for update in range(3):
            if disturbed:
                torch.rand(7)
            state = torch.get_rng_state()
            learner.update(make_batch(seed=update))
            assert torch.equal(torch.get_rng_state(), state)
        return learner

    one, other, different = train(1, False), train(1, True), train(2, False)
    assert torch.equal(one.flat.block, other.flat.block)
    assert not torch.equal(one.flat.block, different.flat.block)
    assert one.agent.net.dropout.p == 0.5


@pytest.mark.parametrize(
    ("mixer", "expected"),
    [
        (
            "OneColumn",
            r"forward: expected q_tot \(4,\) for agent_qs \(4, 2\) and states \(4, 5\), got a tensor",
        ),
        ("WrongWidth", r"forward\(agent_qs \(4, 2\), states \(4, 5\)\) raised RuntimeError: .*mat1 and mat2"),
        ("NoNumbers", r"forward\(agent_qs .*\): expected finite values, got nan"),
        ("Detached", "loss: expected one that depends on agent_qs"),
        ("Doubled", "expected parameters of dtype float32, got net.weights.weight: float64"),
        ("NotBuilt", "NotBuilt raised ZeroDivisionError: of layers"),
        ("MakesUncopied", "copy.deepcopy, because a function may return one network twice, raised TypeError: "),
        ("SilentlySigned", "expected a method td_target, or batch_loss and batch_targets, because it declares"),
    ],
)
def test_a_mixer_that_does_not_fit_is_named(mixer, expected):
    with pytest.raises(ConfigError, match=f"^mixer user_networks:{mixer}: {expected}") as raised:
        make_mixer(spec_of(mixer=mixer))
    assert ("raised" in expected) == (raised.value.__cause__ is not None)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ("TooFewActions", r"forward: expected values \(3, 2, 4\), got a tensor \(3, 2, 3\)"),
        ("NoTuple", r"forward: expected a tuple \(values, hidden\), got a tensor"),
        ("ForgetsEpisodes", r"forward: expected a hidden state that keeps its shape, a tensor \(3, 2, 8\), got"),
        (
            "UnrollsOtherwise",
            "unroll: expected the values that acting gives, step by step, got some that differ by",
        ),
        ("ActsOtherwise", "unroll: expected the values that acting gives"),
        ("Nothing", "expected a module with parameters"),
        (
            "TwoStates",
            r"initial_hidden\(1\): expected a tensor \(1, \.\.\.\) or None, got a tuple of a tensor \(1, 2, 8\)",
        ),
    ],
)
def test_an_agent_that_does_not_fit_is_named(agent, expected):
    with pytest.raises(ConfigError, match=f"^agent user_networks:{agent}: {expected}") as raised:
        make_agent(spec_of(agent=agent))
    assert "\n" not in str(raised.value)


def test_a_network_is_not_taken_for_a_class():
    with pytest.raises(
        ConfigError, match=r"MLPAgent.*: expected a class or a function that makes a network, got a"
    ):
        Config().with_own(agent=MLPAgent(OBS, A, N))


@pytest.mark.parametrize(
    ("mixer", "expected"),
    [
        ("ColumnOfTargets", r"batch_targets: expected a tensor \(\d+,\), got a tensor \(\d+, 1\)"),
        ("LossAlone", r"batch_loss: expected a tuple \(loss, values\), got a tensor \(\)"),
    ],
)
def test_a_joint_mixer_that_does_not_fit_is_named(mixer, expected):
    with pytest.raises(ConfigError, match=f"^mixer {mixer}: {expected}"):
        learner_of(mixer=mixer).update(make_batch())


def test_networks_of_other_sizes_than_the_options_learn_natively_the_same():
    of_agent, of_mixer = {"hidden_dim": 16, "agent_id": False}, {"embed_dim": 4, "hypernet_layers": 1}
    configs = Config(**of_agent, **of_mixer), Config(agent_args=of_agent, mixer_args=of_mixer)
    learners = [Learner(SPEC, config, dtype=torch.float64) for config in configs]
    for learner in learners:
        assert type(learner.step) is NativeStep
        learner.update(make_batch())
    assert torch.equal(learners[0].flat.block, learners[1].flat.block)


def test_a_parametrised_layer_is_not_taken_for_the_extensions():
    learner = learner_of(mixer="WeightNormed")
    assert isinstance(learner.mixer, QMixer)
    assert isinstance(learner.step, AutogradStep)
    learner.update(make_batch())


def test_a_mixer_that_is_not_monotone_is_told_with_numbers():
    spec = spec_of(mixer="Signed")
    note = monotony_note("mixer mine", make_mixer(spec), spec)
    assert note.startswith("mixer mine: dq_tot/dq_i was negative in ")
    assert "of 256 random cases, as low as -" in note
    for silent in ("SignedWithTarget", "PartlyLearned", "DoubleVDN", "Louder"):
        spec = spec_of(mixer=silent)
        assert monotony_note("mixer mine", make_mixer(spec), spec) is None
    spec = NetworkSpec(**SIZES)
    assert monotony_note("mixer qmix", make_mixer(spec), spec) is None


def test_a_mixer_may_say_how_it_is_maximised():
    learner = learner_of(mixer="SignedWithTarget")
    target = learner.target_mixer
    next_qs, states = torch.randn(6, N, A).double(), torch.randn(6, S).double()
    avail = torch.ones(6, N, A, dtype=torch.bool)
    zeros = torch.zeros(6).double()
    ours = target.td_target(next_qs, avail, zeros, zeros.bool(), 1.0, states)
    joint = torch.stack(
        [target(torch.stack([next_qs[:, 0, a], next_qs[:, 1, b]], -1), states) for a in range(A) for b in range(A)]
    )
    torch.testing.assert_close(ours, joint.amax(0))
    learner.update(make_batch())


@pytest.mark.parametrize("mixer", ["Louder", "OtherWeights"])
def test_a_mixer_derived_from_qmix_learns_what_it_computes(mixer):
    learner = learner_of(mixer=mixer)
    assert not isinstance(learner.step, NativeStep)
    qs, states = torch.randn(4, N).double(), torch.randn(4, S).double()
    values = learner.mixer(qs, states)
    if mixer == "OtherWeights":
        torch.testing.assert_close(values, 4 * nn.functional.elu(qs.sum(-1) + 1) + 1)
    targets, weights = torch.zeros(4).double(), torch.full((4,), 0.25).double()
    loss, of_loss = learner.mixer.loss(qs, states, targets, weights)
    torch.testing.assert_close(loss, values.square().mean())
    torch.testing.assert_close(of_loss, values)
    next_qs = qs.unsqueeze(-1)
    avail = torch.ones_like(next_qs, dtype=torch.bool)
    target = learner.mixer.td_target(next_qs, avail, targets, targets.bool(), 0.5, states)
    torch.testing.assert_close(target, 0.5 * values)


def test_an_agent_derived_from_a_native_one_acts_and_learns_as_itself():
    learner = learner_of(agent="Plus")
    assert learner.agent.native_kind is None
    assert not isinstance(learner.step, NativeStep)
    plain = make_learner()
    obs = torch.randn(3, N, OBS).double()
    torch.testing.assert_close(learner.agent.act(obs, None)[0], plain.agent.act(obs, None)[0] + 5.0)


@pytest.mark.parametrize("agent_id", [True, False])
def test_what_a_network_reads(agent_id):
    spec = NetworkSpec(**SIZES, agent="user_networks:Seen", agent_id=agent_id, obs_scale=(2.0,) * OBS)
    obs = torch.ones(1, N, OBS)
    values, _ = make_agent(spec).act(obs, None)
    assert (values[..., 0] == 2.0).all()
    seen = values[0, :, 1:3]
    assert torch.equal(seen, torch.eye(2)) if agent_id else (seen == 2.0).all()
    own = make_agent(NetworkSpec(**{**vars(spec), "agent": "user_networks:SeenWithoutId"}))
    assert own.net.given == (agent_id, (2.0,) * OBS)
    assert torch.equal(own.read(obs), obs)


@pytest.mark.parametrize(("agent", "mixer"), [("NormAgent", "qmix"), ("mlp", "PartlyLearned")])
def test_no_graph_captures_networks_of_a_users(agent, mixer):
    learner = learner_of(agent, mixer)
    on_gpu = SimpleNamespace(agent=learner.agent, mixer=learner.mixer, device=torch.device("cuda"))
    assert type(choose_step(on_gpu, learner.config, SPEC)) is AutogradStep


def test_devices_are_compared_without_dropout():
    config = Config(agent="user_networks:NormAgent", hidden_dim=8, batch_size=3)
    trials = [try_out(config, SPEC, torch.device("cpu"), limit=0.0).losses for _ in range(2)]
    assert trials[0].shape == (1,)
    assert torch.equal(*trials)


def test_a_function_that_returns_one_module_gives_each_learner_its_own():
    module = user_networks.PartlyLearned(S)
    register_mixer("one-module-of-user-networks", lambda: module)
    one, other = (Learner(SPEC, Config(mixer="one-module-of-user-networks")) for _ in range(2))
    one.flat.block.data.zero_()
    assert other.flat.block.any()
    assert module.bias.weight.any()


def test_lazy_layers_are_made_by_the_trial():
    name = MIXERS.refer(user_networks.Lazy)
    assert Learner(SPEC, Config(mixer=name)).mixer.net.layer.weight.shape == (1, S)
