"""Level-Based Foraging as the trainer meets it."""

import threading

import numpy as np
import pytest
from lbf_differential import Corrected

from pyqmix import ConfigError, EpisodeRing
from pyqmix.envs import LbfEnv, NativeVectorEnv, SyncVectorEnv, make_env
from pyqmix.envs.lbf.rules import task_options

CROWDED = "Foraging-5x5-4p-1f-v3"
TASKS = [CROWDED, "Foraging-2s-6x6-3p-2f-v3", "Foraging-grid-1s-5x5-2p-1f-coop-v3", "Foraging-4x9-2p-2f-v3"]


def random_actions(seed, n_agents, steps=50):
    return np.random.default_rng(seed).integers(6, size=(steps, n_agents))


def play(env, seed):
    """Play random actions, forbidden ones too; return all that an episode shows."""
    point = env.reset(seed)
    shown = [(point.obs, point.avail)]
    for actions in random_actions(seed, env.spec.n_agents, env.spec.episode_limit):
        step = env.step(actions)
        shown.append((step.point.obs, step.point.avail, step.reward, step.terminated, step.truncated))
        if step.terminated or step.truncated:
            break
    return shown


def play_original(world, seed):
    obs, _ = world.reset(seed=seed)
    shown = [np.stack(obs).reshape(world.n_agents, -1)]
    for actions in random_actions(seed, world.n_agents):
        obs, _, ended, _, _ = world.step(tuple(actions))
        shown.append(np.stack(obs).reshape(world.n_agents, -1))
        if ended:
            break
    return shown


def same(env, world, seed):
    ours, theirs = [shown[0] for shown in play(env, seed)], play_original(world, seed)
    return len(ours) == len(theirs) and all(map(np.array_equal, ours, theirs))


@pytest.mark.parametrize("task", TASKS)
def test_each_episode_is_as_in_a_new_environment(task):
    env = LbfEnv(task)
    assert all(same(env, Corrected(**task_options(task)), seed) for seed in range(20))


def test_the_original_remembers_earlier_episodes():
    """What the test above would find, if players kept their positions."""
    reused = Corrected(**task_options(CROWDED))
    assert not all(same(LbfEnv(CROWDED), reused, seed) for seed in range(25))


@pytest.mark.parametrize(("name", "food_levels"), [("-ind", {1}), ("-coop-ind", {1}), ("-coop", {2, 3, 4})])
def test_food_levels(name, food_levels):
    env, levels = LbfEnv(f"Foraging-8x8-2p-3f{name}-v3"), set()
    for seed in range(30):
        env.reset(seed)
        levels |= {level for _, _, level in env.native.food}
    assert levels == food_levels


def rewards_of(**options):
    """Return what teams were paid in ten episodes."""
    env = LbfEnv("Foraging-5x5-2p-1f-coop-pen-v3", **options)
    return {round(step[2], 9) for seed in range(10) for step in play(env, seed)[1:]}


def test_team_reward_is_the_sum_or_the_mean():
    assert rewards_of() == {-0.1, 0.0, 1.0}
    assert rewards_of(team_reward="mean") == {-0.05, 0.0, 0.5}


def test_options_replace_the_tasks():
    assert rewards_of(env_args={"penalty": 0.3}) == {-0.3, 0.0, 1.0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"team_reward": "max"}, "team_reward: expected one of sum, mean, got 'max'"),
        ({"episode_limit": 0}, "episode_limit: expected an integer of at least 1, got 0"),
        ({"env_args": {"food": 3}}, "env_args: expected some of players, .*, got food"),
        ({"env_args": {"players": "2"}}, "players: expected an integer, got '2'"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ConfigError, match=message):
        LbfEnv(**options)


def test_a_team_that_learns_has_one_reward():
    with pytest.raises(ConfigError, match="team_reward: expected one of sum, mean, got 'individual'"):
        make_env("lbf", team_reward="individual")


def test_without_mask_all_actions_are_available():
    masked, unmasked = (play(LbfEnv(CROWDED, action_mask=mask), seed=1) for mask in (True, False))
    assert all(point[1].all() for point in unmasked)
    assert not all(point[1].all() for point in masked)
    for (obs, _, *rest), (other, _, *others) in zip(masked, unmasked, strict=True):
        np.testing.assert_array_equal(obs, other)
        assert rest == others


def test_global_state_tells_what_nobody_sees():
    blind = LbfEnv("Foraging-1s-8x8-2p-3f-v3", global_state=True)
    whole = LbfEnv("Foraging-8x8-2p-3f-v3")
    assert (blind.spec.state_dim, blind.spec.concat_state, blind.spec.state_storage) == (15, False, "int8")
    assert (whole.spec.state_dim, whole.spec.concat_state) == (30, True)
    point, seen = blind.reset(5), whole.reset(5)
    assert seen.state is None
    for actions in random_actions(5, 2):
        np.testing.assert_array_equal(point.state, seen.obs[0])
        (point, *_, ended), (seen, *_, _) = (*blind.step(actions)[:3],), (*whole.step(actions)[:3],)
        if ended:
            break


def end_of(env, seed):
    """Return how an episode of random actions ended, and its length."""
    *_, (_, _, _, terminated, truncated) = steps = play(env, seed)[1:]
    return terminated, truncated, len(steps)


@pytest.mark.parametrize("truncate", [False, True])
def test_step_limit_with_food_left(truncate):
    env = LbfEnv("Foraging-8x8-2p-3f-coop-v3", episode_limit=7, truncate_at_limit=truncate)
    assert end_of(env, seed=0) == (not truncate, truncate, 7)


def test_last_food_taken_at_the_step_limit_terminates():
    task = "Foraging-5x5-2p-1f-v3"
    lengths = {seed: end_of(LbfEnv(task), seed)[2] for seed in range(20)}
    seed, taken = next((seed, length) for seed, length in lengths.items() if 1 < length < 50)
    assert end_of(LbfEnv(task, episode_limit=taken, truncate_at_limit=True), seed) == (True, False, taken)
    assert end_of(LbfEnv(task, episode_limit=taken - 1, truncate_at_limit=True), seed) == (False, True, taken - 1)


def test_a_longer_limit_goes_on():
    assert LbfEnv("Foraging-8x8-2p-3f-coop-v3", episode_limit=80).spec.episode_limit == 80
    assert end_of(LbfEnv("Foraging-12x12-2p-3f-coop-v3", episode_limit=80), seed=0)[2] > 50


@pytest.mark.parametrize(
    ("task", "options", "storage"),
    [
        ("Foraging-19x19-9p-4f-v3", {}, "int8"),
        ("Foraging-3x129-2p-1f-v3", {}, "int16"),
        ("Foraging-8x8-2p-3f-v3", {"max_food_level": 200}, "int16"),
        ("Foraging-8x8-2p-3f-v3", {"max_player_level": 40_000}, "float32"),
    ],
)
def test_storage_holds_every_observation(task, options, storage):
    env = LbfEnv(task, env_args=options, global_state=True)
    assert (env.spec.obs_storage, env.spec.state_storage) == (storage, storage)
    ring = EpisodeRing(env.spec, capacity=1)
    nothing = np.zeros(env.spec.n_agents, np.int64)
    point, step = env.reset(seed=0), env.step(nothing)
    with ring.writer().episode() as slot:
        slot.begin(*point)
        slot.append(nothing, step.reward, step.terminated, *step.point)
    stored = ring.sampler(seed=0).sample(1)
    np.testing.assert_array_equal(stored.obs[0], [point.obs, step.point.obs])
    np.testing.assert_array_equal(stored.states[0], [point.state, step.point.state])


VIEWS = [
    {},
    {"global_state": True, "truncate_at_limit": True, "team_reward": "mean"},
    {"action_mask": False, "episode_limit": 5},
]


@pytest.mark.parametrize("view", VIEWS, ids=["default", "state", "limit"])
@pytest.mark.parametrize("task", TASKS)
def test_a_batch_plays_as_its_boards_one_by_one(task, view):
    native = NativeVectorEnv(LbfEnv(task, **view), num_envs=3, seed=7)
    python = SyncVectorEnv([LbfEnv(task, **view) for _ in range(3)], seed=7)
    random = np.random.default_rng(0)
    ours, theirs = native.reset(), python.reset()
    for _ in range(200):
        for got, expected in zip(ours[:-1], theirs[:-1], strict=True):
            np.testing.assert_array_equal(got, expected)
            assert got.dtype == expected.dtype
        for name in ("avail_actions", "state"):
            np.testing.assert_array_equal(ours[-1][name], theirs[-1][name])
        actions = random.integers(6, size=native.action_space.shape)
        ours, theirs = native.step(actions), python.step(actions)
    again, _ = native.reset(seed=7)
    np.testing.assert_array_equal(again, python.reset(seed=7)[0])


def test_individual_rewards_of_a_batch_add_up_to_the_teams():
    task = "Foraging-5x5-3p-1f-pen-v3"
    team, each = (make_env("lbf", task=task, num_envs=8, team_reward=kind) for kind in ("sum", "individual"))
    team.reset()
    each.reset()
    random, total = np.random.default_rng(0), 0.0
    for _ in range(200):
        actions = random.integers(6, size=(8, 3))
        rewards = each.step(actions)[1]
        assert rewards.shape == (8, 3)
        np.testing.assert_allclose(rewards.sum(1), team.step(actions)[1], atol=1e-12)
        total += np.abs(rewards).sum()
    assert total > 10


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (np.zeros((2, 2), np.int64), r"actions: expected \(3, 2\) int64, got \(2, 2\)"),
        (np.full((3, 2), 2.7), "actions: expected integers, got float64"),
        (np.full((3, 2), 6), "actions: expected 0 to 5, got 6"),
        (np.full((3, 2), -1), "actions: expected 0 to 5, got -1"),
    ],
)
def test_bad_actions_of_a_batch(actions, message):
    envs = make_env("lbf", num_envs=3)
    envs.reset()
    with pytest.raises(ValueError, match=message):
        envs.step(actions)


def test_a_step_needs_a_started_episode():
    env = LbfEnv(CROWDED)
    with pytest.raises(RuntimeError, match="reset the environment before the first step"):
        env.step(np.zeros(4, np.int64))


def test_a_failed_reset_starts_nothing():
    envs = make_env("lbf", task="Foraging-7x143-1000p-1f-v3", num_envs=8)
    with pytest.raises(RuntimeError, match="found no free cell"):
        for seed in range(50):
            envs.reset(seed=seed)
    with pytest.raises(RuntimeError, match="reset the environment before the first step"):
        envs.step(np.zeros((8, 1000), np.int64))


@pytest.mark.parametrize("num_envs", [0, -1, True, 2.0])
def test_a_batch_needs_boards(num_envs):
    with pytest.raises(ConfigError, match="num_envs: expected a positive integer, got"):
        NativeVectorEnv(LbfEnv(), num_envs)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, True])
def test_bad_seeds(seed):
    envs = make_env("lbf", num_envs=1)
    for call in (
        lambda: envs.reset(seed=seed),
        lambda: LbfEnv().reset(seed),
        lambda: make_env("lbf", num_envs=1, seed=seed),
    ):
        with pytest.raises(ValueError, match="seed: expected an integer from 0 to"):
            call()


def test_a_batch_refuses_a_second_thread_at_the_same_time():
    envs = make_env("lbf", num_envs=3_000)
    envs.reset()
    actions, errors = np.zeros((3_000, 2), np.int64), []

    def step():
        for _ in range(50):
            try:
                envs.step(actions)
            except RuntimeError as error:
                errors.append(str(error))

    threads = [threading.Thread(target=step) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(errors) == {"this batch of environments: another thread is using it; make one for each thread"}


def test_one_board_pays_one_reward():
    with pytest.raises(ConfigError, match="team_reward: expected one of sum, mean, got 'individual'"):
        LbfEnv(team_reward="individual")
