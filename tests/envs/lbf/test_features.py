"""What networks are shown of Level-Based Foraging beside the original: relative positions, scaled inputs."""

import dataclasses

import numpy as np
import pytest
import torch
from random_episodes import SPEC, make_batch, make_learner

from pyqmix import Config, ConfigError, train
from pyqmix.envs import LbfEnv, NativeVectorEnv, SyncVectorEnv, make_env
from pyqmix.learn.learner import Learner
from pyqmix.nn import GRUAgent, MLPAgent
from pyqmix.nn.actor_weights import ActorWeights
from pyqmix.play.actor import native_policy
from pyqmix.run.checkpoint import find
from pyqmix.run.evaluate import evaluate_run, load_agent
from pyqmix.run.learner_state import load_weights
from pyqmix.run.manifest import Manifest

TASKS = ["Foraging-5x5-3p-2f-v3", "Foraging-2s-9x6-4p-3f-v3", "Foraging-1s-5x8-1p-1f-v3"]
LEVELS = [{}, {"observe_agent_levels": False}]


def points(task, seeds=range(12), **options):
    """Observations of random episodes (P, n, O)."""
    env, shown = LbfEnv(task, **options), []
    for seed in seeds:
        random = np.random.default_rng(seed)
        shown.append(env.reset(seed).obs)
        ended = False
        while not ended:
            step = env.step(random.integers(6, size=env.spec.n_agents))
            shown.append(step.point.obs)
            ended = step.terminated or step.truncated
    return np.stack(shown)


def relative(obs, rules):
    """The same in plain Python: positions of food and others less one's own; 0, 0 for what is unseen."""
    width = 3 if rules.observe_agent_levels else 2
    self_at = 3 * rules.max_num_food
    places = [3 * k for k in range(rules.max_num_food)]
    places += [self_at + width * k for k in range(1, rules.players)]
    changed, distances = obs.copy(), np.zeros((*obs.shape[:-1], 2 * len(places)), np.float32)
    for index in np.ndindex(obs.shape[:-1]):
        row, col = obs[index][self_at : self_at + 2]
        for k, place in enumerate(places):
            seen = obs[index][place] != -1
            distance = [obs[index][place] - row, obs[index][place + 1] - col] if seen else [0, 0]
            changed[index][place : place + 2] = distance
            distances[index][2 * k : 2 * k + 2] = distance
    return changed, np.concatenate([obs, distances], -1)


@pytest.mark.parametrize("levels", LEVELS, ids=["levels", "no levels"])
@pytest.mark.parametrize("task", TASKS)
def test_positions_are_relative_to_the_agent(task, levels):
    absolute = points(task, env_args=levels)
    changed, both = relative(absolute, LbfEnv(task, env_args=levels).rules)
    assert not np.array_equal(changed, absolute)
    np.testing.assert_array_equal(points(task, env_args=levels, positions="relative"), changed)
    np.testing.assert_array_equal(points(task, env_args=levels, positions="both"), both)


def nearest_first(obs, rules):
    """The same in plain Python: food and the other players in the order of the steps to walk; unseen ones last."""
    width = 3 if rules.observe_agent_levels else 2
    self_at, sorted_obs = 3 * rules.max_num_food, obs.copy()
    for index in np.ndindex(obs.shape[:-1]):
        seen = obs[index]
        row, col = seen[self_at : self_at + 2]

        def steps(item):
            return np.inf if item[0] == -1 else abs(item[0] - row) + abs(item[1] - col)  # noqa: B023

        food = sorted(seen[:self_at].reshape(-1, 3), key=steps)
        others = sorted(seen[self_at + width :].reshape(-1, width), key=steps)
        sorted_obs[index] = np.concatenate([*food, seen[self_at : self_at + width], *others])
    return sorted_obs


@pytest.mark.parametrize("levels", LEVELS, ids=["levels", "no levels"])
@pytest.mark.parametrize("task", [*TASKS, "Foraging-7x7-3p-4f-v3"])
def test_the_nearest_stand_first(task, levels):
    plain, rules = points(task, env_args=levels), LbfEnv(task, env_args=levels).rules
    expected = nearest_first(plain, rules)
    assert np.array_equal(expected, plain) == (rules.players == rules.max_num_food == 1)
    np.testing.assert_array_equal(points(task, env_args=levels, nearest_first=True), expected)
    for positions, view in zip(("relative", "both"), relative(expected, rules), strict=True):
        shown = points(task, env_args=levels, positions=positions, nearest_first=True)
        np.testing.assert_array_equal(shown, view)


def assert_a_batch_shows_the_same(task, steps, **view):
    native = NativeVectorEnv(LbfEnv(task, **view), num_envs=3, seed=7)
    python = SyncVectorEnv([LbfEnv(task, **view) for _ in range(3)], seed=7)
    random = np.random.default_rng(0)
    np.testing.assert_array_equal(native.reset()[0], python.reset()[0])
    for _ in range(steps):
        actions = random.integers(6, size=native.action_space.shape)
        ours, theirs = native.step(actions), python.step(actions)
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[-1]["state"], theirs[-1]["state"])


@pytest.mark.parametrize("positions", ["relative", "both"])
@pytest.mark.parametrize("task", TASKS)
def test_a_batch_shows_the_same_positions(task, positions):
    assert_a_batch_shows_the_same(task, steps=60, positions=positions, global_state=True)


def test_a_batch_shows_the_same_order():
    assert_a_batch_shows_the_same(TASKS[0], steps=60, positions="both", nearest_first=True, global_state=True)


@pytest.mark.parametrize("positions", ["absolute", "relative", "both"])
@pytest.mark.parametrize("task", [*TASKS, "Foraging-grid-2s-6x5-2p-2f-v3"])
def test_the_last_action_stands_behind_all_else(task, positions):
    view = {"positions": "absolute" if "grid" in task else positions}
    without, env = LbfEnv(task, **view), LbfEnv(task, last_action=True, **view)
    assert env.spec.obs_dim == without.spec.obs_dim + 6
    random = np.random.default_rng(1)
    for seed in range(3):
        expected, shown = without.reset(seed).obs, env.reset(seed).obs
        taken = np.zeros((env.spec.n_agents, 6))
        for _ in range(30):
            np.testing.assert_array_equal(shown, np.concatenate([expected, taken], -1))
            actions = random.integers(6, size=env.spec.n_agents)
            step, taken = env.step(actions), np.eye(6)[actions]
            expected, shown = without.step(actions).point.obs, step.point.obs
            if step.terminated:
                break


def test_a_batch_shows_the_last_action_until_its_episode_ends():
    assert_a_batch_shows_the_same(TASKS[0], steps=15, last_action=True, positions="both", episode_limit=4)


def test_the_concatenated_state_shows_what_agents_see():
    env = LbfEnv(TASKS[0], last_action=True, scale_inputs=True)
    assert env.spec.state_dim == 3 * env.spec.obs_dim
    assert env.spec.obs_scale[-6:] == (1.0,) * 6
    assert env.spec.state_scale == env.spec.obs_scale * 3
    with pytest.raises(ConfigError, match="last_action: expected true or false, got 1"):
        LbfEnv(last_action=1)


def test_grids_have_no_order():
    with pytest.raises(ConfigError, match="nearest_first: expected false, because grids have no order"):
        LbfEnv("Foraging-grid-2s-6x5-2p-2f-v3", nearest_first=True)


def test_grids_show_no_positions():
    for positions in ("relative", "both"):
        with pytest.raises(ConfigError, match="positions: expected absolute, because grids show no coordinates"):
            LbfEnv("Foraging-grid-2s-6x5-2p-2f-v3", positions=positions)
    with pytest.raises(ConfigError, match="positions: expected one of absolute, relative, both, got 'polar'"):
        LbfEnv(positions="polar")


def test_scale_is_one_over_the_largest_that_can_be():
    spec = LbfEnv("Foraging-2s-8x5-2p-1f-v3", scale_inputs=True, positions="both", global_state=True).spec
    food, player, distance = (1 / 4, 1 / 4, 1 / 4), (1 / 4, 1 / 4, 1 / 2), (1 / 4, 1 / 4)
    assert spec.obs_scale == (*food, *player, *player, *distance, *distance)
    expected = (1 / 7, 1 / 4, 1 / 4, *((1 / 7, 1 / 4, 1 / 2) * 2))
    np.testing.assert_array_equal(np.float32(spec.state_scale), np.float32(expected))
    alone = LbfEnv("Foraging-2s-8x5-2p-1f-v3", scale_inputs=True, env_args={"observe_agent_levels": False}).spec
    assert alone.obs_scale == (1 / 4, 1 / 4, 1 / 4, *(1 / 4,) * 4)
    assert alone.state_scale == alone.obs_scale * 2
    assert LbfEnv().spec.obs_scale is LbfEnv().spec.state_scale is None


@pytest.mark.parametrize("positions", ["absolute", "relative", "both"])
@pytest.mark.parametrize("task", [*TASKS, "Foraging-9x3-2p-1f-coop-v3"])
def test_scaled_inputs_lie_between_minus_one_and_one(task, positions):
    env = LbfEnv(task, positions=positions, scale_inputs=True)
    scaled = points(task, range(60), positions=positions) * np.float32(env.spec.obs_scale)
    assert np.abs(scaled).max() == 1.0
    grid = "Foraging-grid-1s-6x5-2p-2f-v3"
    cells = points(grid) * np.float32(LbfEnv(grid, scale_inputs=True).spec.obs_scale)
    assert 0.5 <= cells.max() <= 1.0


@pytest.mark.parametrize("share", [True, False])
@pytest.mark.parametrize("kind", [MLPAgent, GRUAgent])
def test_agents_scale_what_they_read_natively_too(kind, share):
    env = LbfEnv(TASKS[1], scale_inputs=True)
    obs = torch.from_numpy(points(TASKS[1])[:40])
    spec = env.spec
    agents = []
    for scale in (None, spec.obs_scale):
        torch.manual_seed(0)
        agents.append(kind(spec.obs_dim, 6, spec.n_agents, 16, True, share, scale))
    plain, scaling = agents
    assert plain.state_dict().keys() == scaling.state_dict().keys()
    counts = torch.tensor([8] * 5)
    scaled = obs * torch.tensor(spec.obs_scale)
    with torch.no_grad():
        expected = plain.unroll(scaled, counts)
        assert torch.equal(scaling.unroll(obs, counts), expected)
        assert not torch.equal(plain.unroll(obs, counts), expected)
        hidden = plain.initial_hidden(len(obs))
        assert torch.equal(scaling.act(obs, hidden)[0], plain.act(scaled, hidden)[0])
    policies = [native_policy(agent, spec) for agent in (plain, scaling)]
    values = []
    for policy, shown in zip(policies, (scaled, obs), strict=True):
        policy.load(ActorWeights.of(plain).block)
        memory = np.zeros((len(obs), spec.n_agents, 16), np.float32) if kind is GRUAgent else None
        values.append(policy.values(shown.numpy(), memory))
    np.testing.assert_array_equal(*values)


def test_a_scale_must_fit():
    with pytest.raises(ValueError, match="obs_scale: expected 3 factors, got 2"):
        dataclasses.replace(SPEC, obs_scale=(1.0, 2.0))
    env = LbfEnv()
    agent = MLPAgent(env.spec.obs_dim, 6, 2, obs_scale=(0.5, 0.5))
    with pytest.raises(ValueError, match="obs_scale: expected 15 numbers, got 2"):
        native_policy(agent, env.spec)


def test_the_learner_scales_observations_and_states():
    """Its loss is that of a learner without a scale on a batch that is scaled already."""
    obs_scale, state_scale = (2.0, 0.5, 0.25), (0.5, 4.0, 1.0, 0.125, 2.0)
    spec = dataclasses.replace(SPEC, obs_scale=obs_scale, state_scale=state_scale)
    plain = make_learner()
    config = plain.config
    scaling = Learner(spec, config, dtype=torch.float64)
    for name in ("agent", "mixer", "target_agent", "target_mixer"):
        getattr(scaling, name).load_state_dict(getattr(plain, name).state_dict())
    batch = make_batch()
    by_hand = dataclasses.replace(
        batch,
        obs=batch.obs * torch.tensor(obs_scale, dtype=torch.float64),
        states=batch.states * torch.tensor(state_scale, dtype=torch.float64),
    )
    assert torch.equal(scaling.loss(batch)[0], plain.loss(by_hand)[0])
    assert not torch.equal(scaling.loss(batch)[0], plain.loss(batch)[0])


def test_a_trained_policy_is_evaluated_as_it_was_trained(tiny_config, tmp_path):
    view = {"positions": "both", "scale_inputs": True}
    config = tiny_config(env="lbf", task=TASKS[0], run_dir=str(tmp_path / "run"), total_steps=500, **view)
    result = train(config, quiet=True)
    _, agent = load_agent(tmp_path / "run")
    env = make_env("lbf", task=TASKS[0], **view)
    obs = torch.from_numpy(env.reset(3).obs).unsqueeze(0)
    assert torch.equal(agent.act(obs, None)[0], result.learner.agent.act(obs, None)[0])
    assert evaluate_run(tmp_path / "run", 5, 1).returns.shape == (5,)
    other = Learner(LbfEnv(TASKS[0], positions="both").spec, Config(hidden_dim=8, embed_dim=4, hypernet_dim=8))
    with pytest.raises(ConfigError, match="the environment has changed"):
        load_weights(Manifest.read(find(tmp_path / "run")), other)


@pytest.mark.parametrize("option", [{"positions": "relative"}, {"global_state": True}])
def test_only_foraging_has_features(option):
    with pytest.raises(ConfigError, match=f"{next(iter(option))}: two_step has no such option"):
        make_env("two_step", **option)
