"""The learner against a plain implementation: one step, one agent at a time, in float64."""

import copy

import numpy as np
import pytest
import torch
from plain_learner import plain_loss
from random_episodes import OBS, SPEC, N, make_batch, make_learner
from torch import nn

from pyqmix import Config
from pyqmix.learn.learner import Learner
from pyqmix.learn.rows import StepRows
from pyqmix.learn.standardiser import RewardStandardiser
from pyqmix.nn import QMixer
from pyqmix.ops import NoAvailableActionError, use_backend
from pyqmix.ops.backend import BACKENDS
from pyqmix.replay import EpisodeBatch

OPTIONS = [
    *(
        {"mixer": m, "agent": a, "double_q": d}
        for m in ("qmix", "vdn", "iql")
        for a in ("mlp", "gru")
        for d in (False, True)
    ),
    {"loss": "transitions"},
    {"standardise_rewards": "masked"},
    {"standardise_rewards": "padded", "mixer": "iql"},
    {"reward_scale": 7.0, "hypernet_layers": 1},
    {"share_parameters": False, "double_q": True},
    {"share_parameters": False, "agent": "gru", "mixer": "iql"},
    {"gamma": 0.5, "double_q": True, "loss": "transitions", "agent": "gru"},
]


def named(options):
    return "-".join(f"{k}={v}" for k, v in options.items())


@pytest.mark.parametrize("options", OPTIONS, ids=named)
def test_loss_and_gradients_equal_the_plain_implementation(options):
    learner, batch = make_learner(**options), make_batch()
    loss, _, _ = learner.loss(batch)
    truth = plain_loss(learner, batch)
    torch.testing.assert_close(loss, truth, rtol=1e-9, atol=1e-9)
    ours = torch.autograd.grad(loss, learner.parameters, allow_unused=True)
    plain = torch.autograd.grad(truth, learner.parameters, allow_unused=True)
    for a, b in zip(ours, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-10)


UPDATED = [
    {"share_parameters": False, "agent": "gru"},
    {"optimizer": "adam"},
    {"optimizer": "rmsprop", "mixer": "vdn", "agent": "gru"},
    {"mixer": "iql", "standardise_rewards": "masked", "double_q": True},
    {"standardise_rewards": "padded", "loss": "transitions", "target_tau": 0.3, "grad_clip": 0.05},
]


@pytest.mark.parametrize("options", UPDATED, ids=named)
def test_parameters_after_50_updates_equal_the_plain_implementation(options):
    learner = make_learner(lr=3e-3, target_update=7, **options)
    plain = copy.deepcopy(learner)
    config, seen = learner.config, []
    if config.optimizer == "adam":
        optimizer = torch.optim.Adam(plain.parameters, lr=config.lr)
    else:
        optimizer = torch.optim.RMSprop(plain.parameters, lr=config.lr, alpha=0.99, eps=1e-5)
    batches = [make_batch(lengths, seed) for seed, lengths in enumerate([(2, 1), (1, 3), (2,), (1, 1, 2), (3, 1)])]
    for update in range(1, 51):
        batch = batches[update % len(batches)]
        learner.update(batch)
        optimizer.zero_grad()
        plain_loss(plain, batch, seen).backward()
        norm = torch.sqrt(sum(p.grad.square().sum() for p in plain.parameters))
        for p in plain.parameters:
            p.grad *= torch.clamp(config.grad_clip / (norm + 1e-6), max=1.0)
        optimizer.step()
        if update % config.target_update == 0:
            for online, target in ((plain.agent, plain.target_agent), (plain.mixer, plain.target_mixer)):
                for new, old in zip(online.parameters(), target.parameters(), strict=True):
                    old.data = config.target_tau * new.data + (1 - config.target_tau) * old.data
    for name in ("agent", "mixer", "target_agent", "target_mixer"):
        for a, b in zip(getattr(learner, name).parameters(), getattr(plain, name).parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("agent", ["mlp", "gru"])
def test_agents_without_shared_parameters_learn_apart(agent):
    """One agent's error moves its own network alone; a shared one is moved by every error."""
    moved = {}
    for share in (True, False):
        learner = make_learner(agent=agent, share_parameters=share, mixer="vdn", agent_id=False)
        batch = make_batch()
        values = learner.agent.unroll(batch.obs[:1, 0], torch.tensor([1]))
        values[:, 1].sum().backward()
        assert all(p.shape[0] == N for p in learner.agent.parameters()) != share
        moved[share] = [bool(p.grad[0].any()) for p in learner.agent.parameters() if p.grad is not None]
        same = learner.agent.unroll(batch.obs[:1, 0, :1].expand(1, N, OBS), torch.tensor([1]))
        assert torch.equal(same[0, 0], same[0, 1]) == share
    assert any(moved[True])
    assert not any(moved[False])


@pytest.mark.parametrize("agent", ["mlp", "gru"])
@pytest.mark.parametrize("garbage", [float("nan"), float("inf"), -1e30])
def test_padding_contributes_nothing_whatever_it_holds(garbage, agent):
    learner = make_learner(agent=agent)
    results = []
    for filler in (0.0, garbage):
        loss, _, _ = learner.loss(make_batch(garbage=filler))
        results.append([loss, *torch.autograd.grad(loss, learner.parameters)])
    for a, b in zip(*results, strict=True):
        assert torch.equal(a, b)


def test_loss_divides_by_the_episodes_own_length():
    """An episode's weight is the same whether its batch is padded to 4 or to 6 steps."""
    learner = make_learner()
    short, _, _ = learner.loss(make_batch((3,), seed=1))
    other, _, _ = learner.loss(make_batch((6,), seed=2))
    both = make_batch((3, 6))
    for name, value in make_batch((3,), seed=1).tensors().items():
        if name != "lengths":
            getattr(both, name)[0, : value.shape[1]] = value[0]
    for name, value in make_batch((6,), seed=2).tensors().items():
        getattr(both, name)[1] = value[0]
    loss, _, _ = learner.loss(both)
    torch.testing.assert_close(loss, (short + other) / 2)


def test_truncation_bootstraps_and_termination_does_not():
    learner = make_learner()
    batch = make_batch((2,))
    batch.terminated[:] = False
    truncated = learner.loss(batch)[2]
    batch.terminated[0, 1] = True
    terminated = learner.loss(batch)[2]
    assert terminated[1] == batch.rewards[0, 1]
    assert truncated[1] != terminated[1]
    assert truncated[0] == terminated[0]


def test_the_last_steps_next_state_is_the_stored_one():
    learner = make_learner()
    batch = make_batch((2, 4), garbage=0.0)
    batch.terminated[:] = False
    before = learner.loss(batch)[2].clone()
    batch.obs[0, 2] += 1.0  # o' of the shorter episode's last step
    changed = learner.loss(batch)[2] != before
    packed = StepRows.by_length(batch)
    assert [(int(e), int(t)) for e, t in zip(packed.episodes[changed], packed.times[changed], strict=True)] == [
        (0, 1)
    ]


def test_an_agent_without_action_names_episode_step_and_agent():
    batch = make_batch((2, 4, 3))
    batch.avail[2, 2, 1] = False
    with pytest.raises(NoAvailableActionError, match="episode 2, step 1, agent 1"):
        make_learner().loss(batch)


def test_no_available_action_after_termination_is_fine():
    batch = make_batch()
    batch.avail[0, 4] = False
    assert torch.isfinite(make_learner().loss(batch)[0])


def test_targets_are_neither_optimised_nor_given_gradients():
    learner = make_learner()
    optimised = {id(p) for group in learner.optimizer.param_groups for p in group["params"]}
    frozen = [*learner.target_agent.parameters(), *learner.target_mixer.parameters()]
    assert not optimised & {id(p) for p in frozen}
    before = [p.clone() for p in frozen]
    learner.update(make_batch())
    assert all(p.grad is None for p in frozen)
    assert all(torch.equal(p, q) for p, q in zip(frozen, before, strict=True))


def test_targets_are_copied_every_c_updates():
    learner = make_learner(target_update=3)
    batch = make_batch()
    for update in range(1, 7):
        learner.update(batch)
        equal = all(
            torch.equal(p, q)
            for online, target in ((learner.agent, learner.target_agent), (learner.mixer, learner.target_mixer))
            for p, q in zip(online.parameters(), target.parameters(), strict=True)
        )
        assert equal == (update % 3 == 0)


def test_the_same_seed_makes_the_same_networks_and_leaves_torchs_generator_alone():
    torch.manual_seed(0)
    first = torch.rand(1)
    torch.manual_seed(0)
    one, same, other = (Learner(SPEC, Config(seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), first)
    assert torch.equal(one.agent.fc1.weight, same.agent.fc1.weight)
    assert not torch.equal(one.agent.fc1.weight, other.agent.fc1.weight)


def test_an_update_reports_what_it_saw():
    learner = make_learner()
    batch = make_batch()
    loss, q, target = learner.loss(batch)
    grads = torch.autograd.grad(loss, learner.parameters)
    stats = learner.update(batch)
    torch.testing.assert_close(stats.loss, loss)
    torch.testing.assert_close(stats.q_mean, q.mean())
    torch.testing.assert_close(stats.target_mean, target.mean())
    norm = nn.utils.get_total_norm(grads)
    torch.testing.assert_close(stats.grad_norm, norm)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("lengths", [(1,), (3, 3), (1, 4, 2, 4)])
def test_packing_is_a_permutation_of_the_real_steps(lengths, backend):
    batch = make_batch(lengths)
    with use_backend(backend):
        packed = StepRows.by_length(batch)
    assert packed.now.shape[0] == sum(lengths)
    assert packed.obs.shape[0] == sum(lengths) + len(lengths)
    seen = set()
    for row, (episode, time) in enumerate(zip(packed.episodes.tolist(), packed.times.tolist(), strict=True)):
        seen.add((episode, time))
        following = packed.n_episodes + row
        assert torch.equal(packed.obs[packed.now[row]], batch.obs[episode, time])
        assert torch.equal(packed.obs[following], batch.obs[episode, time + 1])
        assert torch.equal(packed.states[packed.now[row]], batch.states[episode, time])
        assert torch.equal(packed.states[following], batch.states[episode, time + 1])
        assert torch.equal(packed.next_avail[row], batch.avail[episode, time + 1])
        for name in ("actions", "rewards", "terminated"):
            assert torch.equal(getattr(packed, name)[row], getattr(batch, name)[episode, time])
    assert seen == {(b, t) for b, length in enumerate(lengths) for t in range(length)}
    counts = [sum(length >= t for length in lengths) for t in range(max(lengths) + 1)]
    assert packed.point_counts.tolist() == counts


TRANSITIONS = (4, 1, 3)  # steps of each episode


def test_transitions_are_drawn_uniformly_from_the_real_steps():
    batch, count = make_batch(TRANSITIONS), sum(TRANSITIONS)
    draws = (torch.arange(800, dtype=torch.float64) + 0.5) / 800
    packed = StepRows.from_draws(batch, draws)
    drawn = list(zip(packed.episodes.tolist(), packed.times.tolist(), strict=True))
    real = [(b, t) for b, length in enumerate(TRANSITIONS) for t in range(length)]
    assert drawn == [step for step in real for _ in range(800 // count)]
    assert StepRows.from_draws(batch, torch.tensor([np.nextafter(1.0, 0.0)])).episodes.item() == 2
    for row, (episode, time) in list(enumerate(drawn))[::7]:
        assert torch.equal(packed.obs[packed.now[row]], batch.obs[episode, time])
        assert torch.equal(packed.obs[packed.n_episodes + row], batch.obs[episode, time + 1])
        assert torch.equal(packed.states[packed.now[row]], batch.states[episode, time])
        assert torch.equal(packed.states[packed.n_episodes + row], batch.states[episode, time + 1])
        assert torch.equal(packed.next_avail[row], batch.avail[episode, time + 1])
        for name in ("actions", "rewards", "terminated"):
            assert torch.equal(getattr(packed, name)[row], getattr(batch, name)[episode, time])


@pytest.mark.parametrize("loss", ["episodes", "transitions"])
@pytest.mark.parametrize("double_q", [False, True])
@pytest.mark.parametrize("mixer", ["qmix", "vdn", "iql"])
def test_the_loss_of_transitions_is_that_of_the_drawn_steps(mixer, double_q, loss):
    """Each as an episode of its own; with the loss of episodes each weighs one over its episode's length."""
    learner = make_learner(batch_transitions=40, mixer=mixer, double_q=double_q, loss=loss)
    whole = copy.deepcopy(learner)
    whole.config = learner.config.replace(batch_transitions=None)
    batch = make_batch(TRANSITIONS)
    value, q, _ = learner.loss(batch)
    assert len(q) == 40
    packed = learner._prepare(learner._inputs(batch), learner.step)[0]
    total, weights = 0.0, 0.0
    for episode, time in zip(packed.episodes.tolist(), packed.times.tolist(), strict=True):
        step = {"obs": 2, "avail": 2, "states": 2, "actions": 1, "rewards": 1, "terminated": 1}
        one = {name: getattr(batch, name)[episode : episode + 1, time : time + n] for name, n in step.items()}
        weight = 1.0 if loss == "transitions" else 1.0 / TRANSITIONS[episode]
        total += weight * whole.loss(EpisodeBatch(**one, lengths=torch.tensor([1])))[0].detach()
        weights += weight
    torch.testing.assert_close(value.detach(), total / weights)


def test_every_update_draws_its_own_transitions():
    learner, batch = make_learner(batch_transitions=40), make_batch((6, 6, 6, 6))
    draws = []
    for _ in range(2):
        packed = learner._prepare(learner._inputs(batch), learner.step)[0]
        assert torch.equal(learner._prepare(learner._inputs(batch), learner.step)[0].times, packed.times)
        draws.append((packed.episodes * 6 + packed.times).tolist())
        learner.update(batch)
    assert draws[0] != draws[1]
    assert len(set(draws[0])) < 40  # with replacement, from 24
    other = make_learner(batch_transitions=40, seed=1)
    again = other._prepare(other._inputs(batch), other.step)[0]
    assert (again.episodes * 6 + again.times).tolist() != draws[0]


def test_a_transition_without_action_names_episode_step_and_agent():
    batch = make_batch((2, 4, 3))
    batch.avail[2, 2, 1] = False
    with pytest.raises(NoAvailableActionError, match="episode 2, step 1, agent 1"):
        make_learner(batch_transitions=64).loss(batch)


def test_the_learning_rate_can_be_set_between_updates():
    learner, batch = make_learner(), make_batch()
    before = learner.flat.block.detach().clone()
    learner.set_learning_rate(0.0)
    learner.update(batch)
    assert torch.equal(learner.flat.block, before)
    learner.set_learning_rate(1e-3)
    learner.update(batch)
    torch.testing.assert_close((learner.flat.block - before).abs().max().item(), 1e-3, rtol=0.5, atol=0)


def test_the_standardiser_is_the_mean_and_deviation_of_all_it_saw():
    standardiser, seen = RewardStandardiser(), []
    for seed in range(5):
        values = torch.from_numpy(np.random.default_rng(seed).normal(3, 2, 17))
        standardiser.update(values)
        seen.append(values)
    everything = torch.cat(seen)
    state = standardiser.state()
    assert state["mean"] == pytest.approx(float(everything.mean()), rel=1e-4)
    assert state["variance"] == pytest.approx(float(everything.var(unbiased=False)), rel=1e-4)
    expected = (everything - state["mean"]) / state["variance"] ** 0.5
    torch.testing.assert_close(standardiser.standardise(everything), expected)
    again = RewardStandardiser(**state)
    assert again.state() == state
    part = torch.arange(17) < 5
    again.update(torch.where(part, values, torch.nan).nan_to_num(9.0), part)
    standardiser.update(values[:5])
    assert again.state() == pytest.approx(standardiser.state())
    again.load(state)
    assert again.state() == state


def test_constant_rewards_standardise_to_something_finite():
    standardiser = RewardStandardiser(mean=1.0, variance=0.0, count=100.0)
    assert standardiser.standardise(torch.ones(3)).abs().max() < 1e-6


def test_batches_move_between_devices():
    batch = make_batch()
    moved = batch.to(torch.device("meta"))
    assert all(values.device.type == "meta" for values in moved.tensors().values())


def test_a_whole_loss_compiles_for_changing_batch_sizes():
    torch._dynamo.reset()
    mixer, target_mixer = QMixer(2, 5, 4, 6).double(), QMixer(2, 5, 4, 6).double()

    def loss(qs, states, next_qs, avail, rewards, terminated):
        target = target_mixer.td_target(next_qs, avail, rewards, terminated, 0.9, states)
        return (target - mixer(qs, states)).square().mean()

    compiled = torch.compile(loss, fullgraph=True, dynamic=True)
    for rows in (3, 8, 21):
        random = torch.Generator().manual_seed(rows)
        normal = [torch.randn(rows, *s, generator=random).double() for s in ((2,), (5,), (2, 3), ())]
        avail, terminated = torch.ones(rows, 2, 3, dtype=torch.bool), torch.rand(rows, generator=random) < 0.3
        inputs = (*normal[:3], avail, normal[3], terminated)
        results = []
        for function in (compiled, loss):
            mixer.zero_grad()
            value = function(*inputs)
            value.backward()
            results.append([value, *(p.grad.clone() for p in mixer.parameters())])
        for ours, truth in zip(*results, strict=True):
            torch.testing.assert_close(ours, truth)
