"""Level-Based Foraging, against the ``lbforaging`` package itself."""

import gymnasium
import numpy as np
import pytest
from lbforaging.foraging.environment import Action, ForagingEnv

from pyqmix import ConfigError, EpisodeRing
from pyqmix.envs import EnvOptions, lbf, make_env
from pyqmix.envs.lbf import LbfEnv, LbfTask

CROWDED = "Foraging-5x5-4p-1f-v3"
TASKS = [CROWDED, "Foraging-2s-6x6-3p-2f-v3", "Foraging-5x5-2p-1f-coop-v3", "Foraging-8x8-2p-3f-v3"]
REGISTERED = sorted(name for name in gymnasium.registry if name.startswith("Foraging"))


def original(task, **changes):
    return ForagingEnv(**{**gymnasium.registry[task].kwargs, **changes})


def random_actions(seed, n_agents, steps=50):
    return np.random.default_rng(seed).integers(6, size=(steps, n_agents))


def valid_actions(world):
    return [[action in world._valid_actions[player] for action in Action] for player in world.players]


def play(env, seed):
    """Play random actions, forbidden ones too; return all that an episode shows."""
    point = env.reset(seed)
    shown = [(point.obs, point.avail)]
    for actions in random_actions(seed, env.spec.n_agents):
        step = env.step(actions)
        shown.append((step.point.obs, step.point.avail, step.reward, step.terminated, step.truncated))
        if step.terminated or step.truncated:
            break
    return shown


def play_original(world, seed):
    obs, _ = world.reset(seed=seed)
    shown = [(np.stack(obs), valid_actions(world))]
    for actions in random_actions(seed, world.n_agents):
        obs, rewards, terminated, truncated, _ = world.step(tuple(actions))
        shown.append((np.stack(obs), valid_actions(world), sum(rewards), terminated, truncated))
        if terminated or truncated:
            break
    return shown


def same(episode, other):
    return len(episode) == len(other) and all(
        np.array_equal(got, expected)
        for points in zip(episode, other, strict=True)
        for got, expected in zip(*points, strict=True)
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Foraging-8x8-2p-3f-v3", LbfTask(8, 8, 2, 3, 8, False, False, 0.0)),
        ("Foraging-5x9-3p-1f-v3", LbfTask(5, 9, 3, 1, 9, False, False, 0.0)),
        ("Foraging-2s-10x7-4p-2f-coop-v3", LbfTask(10, 7, 4, 2, 2, True, False, 0.0)),
        ("Foraging-8x8-2p-3f-ind-v3", LbfTask(8, 8, 2, 3, 8, False, True, 0.0)),
        ("Foraging-8x8-2p-3f-pen-v3", LbfTask(8, 8, 2, 3, 8, False, False, 0.1)),
        ("Foraging-1s-8x8-2p-3f-coop-ind-pen-v3", LbfTask(8, 8, 2, 3, 1, True, True, 0.1)),
    ],
)
def test_task_names(name, expected):
    assert LbfTask.parse(name) == expected


def test_tasks_are_the_registered_ones(monkeypatch):
    monkeypatch.setattr(lbf, "_Board", dict)
    for name in np.random.default_rng(0).choice(REGISTERED, 100, replace=False):
        kwargs = {**LbfTask.parse(name).make(step_limit=50), "grid_observation": False}
        assert kwargs == gymnasium.registry[name].kwargs


@pytest.mark.parametrize(("name", "food_levels"), [("-ind", {1}), ("-coop-ind", {1}), ("-coop", {2, 3, 4})])
def test_food_levels(name, food_levels):
    world = LbfTask.parse(f"Foraging-8x8-2p-3f{name}-v3").make(step_limit=50)
    levels = set()
    for seed in range(30):
        world.reset(seed=seed)
        levels |= set(world.field[world.field > 0].tolist())
    assert levels == food_levels


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Foraging-8x8-2p-3f-v2", r"did you mean Foraging-8x8-2p-3f-v3"),
        ("Forging-8x8-2p-3f-v3", r"did you mean Foraging-8x8-2p-3f-v3"),
        ("Foraging-8x8-2p-3f-pen-coop-v3", r"expected Foraging\[-Ks\]-RxC-Np-Mf"),
        ("chess", r"got 'chess'$"),
        ("Foraging-2x8-2p-1f-v3", "3 to 1000 cells a side, got 2x8"),
        ("Foraging-8x2-2p-1f-v3", "3 to 1000 cells a side, got 8x2"),
        ("Foraging--8x8-2p-1f-v3", "3 to 1000 cells a side, got -8x8"),
        ("Foraging-8x8--2p-1f-v3", "at least one player and one food"),
        ("Foraging-8x8-2p-0f-v3", "at least one player and one food"),
        ("Foraging-4x3-12p-1f-v3", "4x3 = 12 cells cannot hold 12 players and 1 food"),
        ("Foraging-4x4-2p-5f-v3", "holds at most 1 of 5 food items"),
    ],
)
def test_bad_tasks(name, message):
    with pytest.raises(ConfigError, match=message):
        LbfEnv(name)


@pytest.mark.parametrize("limit", [0, -1])
def test_bad_episode_limit(limit):
    with pytest.raises(ConfigError, match=f"episode_limit: expected a positive integer, got {limit}"):
        make_env("lbf", options=EnvOptions(episode_limit=limit))


@pytest.mark.parametrize("task", TASKS)
def test_each_episode_is_as_in_a_new_environment(task):
    env = LbfEnv(task)
    for seed in range(25):
        assert same(play(env, seed), play_original(original(task), seed))


def test_the_original_remembers_earlier_episodes():
    """What the test above would find, if players kept their positions."""
    reused = original(CROWDED)
    assert not all(same(play_original(reused, seed), play_original(original(CROWDED), seed)) for seed in range(25))


def test_team_reward_sums_penalties_too():
    env, rewards = LbfEnv("Foraging-5x5-2p-1f-coop-pen-v3"), set()
    for seed in range(10):
        episode = play(env, seed)
        assert same(episode, play_original(original("Foraging-5x5-2p-1f-coop-v3", penalty=0.1), seed))
        rewards |= {step[2] for step in episode[1:]}
    assert rewards == {-0.1, 0.0, 1.0}


def test_without_mask_all_actions_are_available():
    masked, unmasked = (play(LbfEnv(CROWDED, action_mask=mask), seed=1) for mask in (True, False))
    assert all(point[1].all() for point in unmasked)
    assert not all(point[1].all() for point in masked)
    assert same([(obs, *rest) for obs, _, *rest in masked], [(obs, *rest) for obs, _, *rest in unmasked])


@pytest.mark.parametrize("sides", ["9x4", "4x9"])
def test_rectangular_board(sides):
    env = LbfEnv(f"Foraging-{sides}-2p-2f-v3")
    rows, cols = env._world.field_size
    assert f"{rows}x{cols}" == sides
    furthest = 0
    for seed in range(20):
        play(env, seed)
        obs = env.reset(seed).obs
        np.testing.assert_array_equal(obs[:, 6:9], [[*p.position, p.level] for p in env._world.players])
        furthest = max(furthest, obs[:, 6:8].max())
    assert furthest == 8


def end_of(env, seed):
    """Return how an episode of random actions ended, and its length."""
    *_, (_, _, _, terminated, truncated) = steps = play(env, seed)[1:]
    return terminated, truncated, len(steps)


@pytest.mark.parametrize("truncate", [False, True])
def test_step_limit_with_food_left(truncate):
    env = LbfEnv("Foraging-8x8-2p-3f-coop-v3", step_limit=7, truncate_at_limit=truncate)
    assert end_of(env, seed=0) == (not truncate, truncate, 7)


def test_last_food_taken_at_the_step_limit_terminates():
    task = "Foraging-5x5-2p-1f-v3"
    lengths = {seed: end_of(LbfEnv(task), seed)[2] for seed in range(20)}
    seed, taken = next((seed, length) for seed, length in lengths.items() if 1 < length < 50)
    assert end_of(LbfEnv(task, step_limit=taken, truncate_at_limit=True), seed) == (True, False, taken)
    assert end_of(LbfEnv(task, step_limit=taken - 1, truncate_at_limit=True), seed) == (False, True, taken - 1)


def test_int8_holds_every_observation():
    env = LbfEnv("Foraging-19x19-9p-4f-v3")
    assert env.spec.obs_storage == "int8"
    ring = EpisodeRing(env.spec, capacity=1)
    point = env.reset(seed=0)
    step = env.step(np.zeros(9, np.int64))
    with ring.writer().episode() as slot:
        slot.begin(*point)
        slot.append(np.zeros(9, np.int64), step.reward, step.terminated, *step.point)
    stored = ring.sampler(seed=0).sample(1).obs[0]
    np.testing.assert_array_equal(stored, [point.obs, step.point.obs])


def test_wide_board_needs_int16():
    assert LbfEnv("Foraging-3x200-2p-1f-v3").spec.obs_storage == "int16"
