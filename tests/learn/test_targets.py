"""n-step and TD(lambda) targets against sums over single episodes, in float64."""

import pytest
import torch
from plain_learner import plain_loss, plain_targets
from random_episodes import make_batch, make_learner

from pyqmix.learn.rows import StepRows
from pyqmix.learn.targets import lambda_targets, n_step_targets, one_step_targets
from pyqmix.ops import use_backend

LONGER = [{"n_step": 2}, {"n_step": 3}, {"n_step": 10**9}, {"td_lambda": 0.6}, {"td_lambda": 1.0}]
NETWORKS = [
    {"mixer": mixer, "agent": agent, "double_q": double_q, "backend": backend}
    for mixer in ("qmix", "vdn", "iql")
    for agent in ("mlp", "gru")
    for double_q, backend in ((False, "fused"), (True, "reference"), (True, "fused"))
]
LENGTHS = (4, 1, 6, 3, 6)


def named(options):
    return "-".join(f"{k}={v}" for k, v in options.items())


def targets_by_step(learner, batch):
    """The learner's targets as {(episode, time): (*M)}."""
    packed = StepRows.by_length(batch)
    targets = learner.loss(batch)[2]
    where = zip(packed.episodes.tolist(), packed.times.tolist(), strict=True)
    return dict(zip(where, targets, strict=True))


@pytest.mark.parametrize("networks", NETWORKS, ids=named)
@pytest.mark.parametrize("longer", LONGER, ids=named)
def test_targets_equal_sums_over_single_episodes(longer, networks):
    """Episode 0 terminates, the others are cut off; padding holds NaN."""
    learner, batch = make_learner(**longer, **networks), make_batch(LENGTHS)
    ours = targets_by_step(learner, batch)
    assert len(ours) == sum(LENGTHS)
    for b, length in enumerate(LENGTHS):
        plain = plain_targets(learner, batch, b, batch.rewards[b, :length])
        for t in range(length):
            expected = torch.stack(plain[t])
            torch.testing.assert_close(ours[b, t].reshape(-1), expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("longer", LONGER, ids=named)
@pytest.mark.parametrize("mixer", ["qmix", "iql"])
def test_gradients_flow_through_no_target(longer, mixer):
    learner, batch = make_learner(mixer=mixer, agent="gru", reward_scale=3.0, **longer), make_batch()
    loss = learner.loss(batch)[0]
    truth = plain_loss(learner, batch)
    torch.testing.assert_close(loss, truth, rtol=1e-9, atol=1e-9)
    for ours, plain in zip(
        *(torch.autograd.grad(x, learner.parameters, allow_unused=True) for x in (loss, truth)), strict=True
    ):
        torch.testing.assert_close(ours, plain, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("networks", NETWORKS, ids=named)
def test_lambda_0_and_one_step_are_the_one_step_target_to_the_last_bit(networks):
    learner, packed = make_learner(**networks), StepRows.by_length(make_batch(LENGTHS))
    rewards, gamma = packed.rewards, learner.config.gamma
    with use_backend(learner.config.backend):
        online_qs = learner.agent.unroll(packed.obs, packed.point_counts).detach()
        choosing = online_qs if learner.config.double_q else None
        of_networks = choosing, learner.target_agent, learner.target_mixer, learner.config
        one_step = one_step_targets(packed, rewards, *of_networks)
    assert torch.equal(learner.loss(make_batch(LENGTHS))[2], one_step)
    assert torch.equal(n_step_targets(packed, rewards, one_step, gamma, 1), one_step)
    assert torch.equal(lambda_targets(packed, rewards, one_step, gamma, 0.0), one_step)
    for longer in LONGER:
        learner.config = learner.config.replace(**{"n_step": 1, "td_lambda": 0.0, **longer})
        assert not torch.equal(learner.loss(make_batch(LENGTHS))[2], one_step)


@pytest.mark.parametrize("longer", [{"td_lambda": 1.0}, {"n_step": 6}], ids=named)
@pytest.mark.parametrize("mixer", ["qmix", "vdn", "iql"])
def test_an_episode_that_terminates_has_its_return_as_target(mixer, longer):
    learner, batch = make_learner(mixer=mixer, gamma=0.9, **longer), make_batch(LENGTHS)
    ours = targets_by_step(learner, batch)
    discounted = 0.0
    for t in reversed(range(LENGTHS[0])):
        discounted = batch.rewards[0, t] + 0.9 * discounted
        torch.testing.assert_close(ours[0, t], discounted.expand_as(ours[0, t]))


@pytest.mark.parametrize("longer", LONGER, ids=named)
def test_a_longer_target_sees_the_end_of_its_own_episode_alone(longer):
    """Lambda and n reach the last o', s' of a truncated episode, and nothing of a terminated one."""
    learner, batch = make_learner(**longer), make_batch((3, 3, 5), garbage=0.0)
    before = targets_by_step(learner, batch)
    batch.states[:2, 3] += 1.0  # s' of the last steps; episode 0 terminates there
    changed = {step for step, target in targets_by_step(learner, batch).items() if target != before[step]}
    reach = min(longer.get("n_step", 3), 3)
    assert changed == {(1, t) for t in range(3 - reach, 3)}


@pytest.mark.parametrize("longer", LONGER, ids=named)
def test_padding_is_never_summed(longer):
    learner = make_learner(**longer)
    clean, dirty = (targets_by_step(learner, make_batch(garbage=g)) for g in (0.0, float("nan")))
    assert all(torch.equal(clean[step], dirty[step]) for step in clean)


@pytest.mark.parametrize("longer", LONGER, ids=named)
def test_episodes_of_one_step_have_one_step_targets(longer):
    learner, batch = make_learner(**longer), make_batch((1, 1))
    target = learner.loss(batch)[2]
    learner.config = learner.config.replace(n_step=1, td_lambda=0.0)
    assert torch.equal(target, learner.loss(batch)[2])
