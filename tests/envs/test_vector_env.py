"""Batches of environments in gymnasium's conventions."""

import zlib

import numpy as np
import pytest
from duel import Duel
from gymnasium.vector import AutoresetMode

from pyqmix import ConfigError, EnvError
from pyqmix.base.seeding import Stream, derive_seed
from pyqmix.envs import NativeVectorEnv, SmaxEnv, SyncVectorEnv, TwoStep, make_env

TASK = "Foraging-5x5-2p-1f-v3"


def lbf_batch(num_envs, seed=0, limit=6):
    return make_env("lbf", task=TASK, num_envs=num_envs, seed=seed, episode_limit=limit)


def actions_for(obs):
    """Choose by the observation alone, so that equal episodes stay equal."""
    return np.stack([np.random.default_rng(zlib.crc32(o.tobytes())).integers(6, size=len(o)) for o in obs])


def play_episodes(envs, count):
    """Return (first observation, return, length) of the episodes that start first, in that order."""
    obs, _ = envs.reset()
    playing, episodes = list(range(envs.num_envs)), [[o, 0.0, 0] for o in obs]
    ended = np.zeros(envs.num_envs, bool)
    while len(episodes) < count + envs.num_envs:
        obs, rewards, terminations, truncations, _ = envs.step(actions_for(obs))
        for k in range(envs.num_envs):
            if ended[k]:
                playing[k] = len(episodes)
                episodes.append([obs[k], 0.0, 0])
            else:
                episodes[playing[k]][1] += rewards[k]
                episodes[playing[k]][2] += 1
        ended = terminations | truncations
    unfinished = set(playing)
    return {k: episode for k, episode in enumerate(episodes[:count]) if k not in unfinished}


def test_shapes_and_dtypes():
    envs = lbf_batch(num_envs=3)
    obs, infos = envs.reset()
    stepped, rewards, terminations, truncations, step_infos = envs.step(envs.action_space.sample())
    for o, info in ((obs, infos), (stepped, step_infos)):
        assert (o.shape, o.dtype) == ((3, 2, 9), np.float32)
        assert o in envs.observation_space
        assert (info["avail_actions"].shape, info["avail_actions"].dtype) == ((3, 2, 6), np.bool_)
        np.testing.assert_array_equal(info["state"], o.reshape(3, 18))
    for values, dtype in ((rewards, np.float64), (terminations, np.bool_), (truncations, np.bool_)):
        assert (values.shape, values.dtype) == ((3,), dtype)
    assert envs.num_envs == 3
    assert envs.single_observation_space.shape == (2, 9)
    assert envs.action_space.shape == (3, 2)


def test_infos_hold_a_state_of_its_own():
    envs = make_env("two_step", num_envs=2)
    _, infos = envs.reset()
    np.testing.assert_array_equal(infos["state"], [[1, 0, 0], [1, 0, 0]])
    _, _, _, _, infos = envs.step([[0, 0], [1, 0]])
    np.testing.assert_array_equal(infos["state"], [[0, 1, 0], [0, 0, 1]])


def test_an_ended_environment_is_reset_by_the_next_step():
    envs = make_env("two_step", num_envs=2)
    assert envs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    first, _ = envs.reset()
    envs.step([[1, 0], [1, 0]])
    last, rewards, terminations, truncations, _ = envs.step([[1, 1], [0, 1]])
    assert not last.any()
    np.testing.assert_array_equal(rewards, [8, 1])
    assert terminations.all()
    assert not truncations.any()
    again, rewards, terminations, _, _ = envs.step([[1, 1], [1, 1]])
    np.testing.assert_array_equal(again, first)
    assert not rewards.any()
    assert not terminations.any()


def test_wins_are_told_where_episodes_end():
    envs = SyncVectorEnv([Duel(), Duel(tells=False), Duel()], seed=3)
    envs.reset()
    told, wins = 0, set()
    for _ in range(20):
        _, _, terminations, _, infos = envs.step(np.zeros((3, 2), np.int64))
        ended = terminations & [True, False, True]  # one environment never tells
        assert ("battle_won" in infos) == ("_battle_won" in infos) == ended.any()
        if ended.any():
            np.testing.assert_array_equal(infos["_battle_won"], ended)
            expected = [env.won and here for env, here in zip(envs.envs, ended, strict=True)]
            np.testing.assert_array_equal(infos["battle_won"], expected)
            assert infos["battle_won"].dtype == infos["_battle_won"].dtype == np.bool_
            told, wins = told + 1, wins | set(infos["battle_won"][ended].tolist())
    assert 0 < told < 20
    assert wins == {True, False}


def test_native_batches_tell_wins_as_the_others_do():
    native, sync = NativeVectorEnv(SmaxEnv("3m"), 4), SyncVectorEnv([SmaxEnv("3m") for _ in range(4)])
    wins, infos = [], [envs.reset()[1] for envs in (native, sync)]
    for _ in range(300):
        avail = infos[0]["avail_actions"]
        actions = avail.shape[-1] - 1 - avail[..., ::-1].argmax(-1)  # all shoot at the same enemy
        steps = [envs.step(actions) for envs in (native, sync)]
        infos = [step[-1] for step in steps]
        assert infos[0].keys() == infos[1].keys()
        for name in infos[0]:
            np.testing.assert_array_equal(infos[0][name], infos[1][name])
        if "battle_won" in infos[0]:
            _, rewards, terminations, _, told = steps[0]
            np.testing.assert_array_equal(told["_battle_won"], terminations)
            np.testing.assert_array_equal(told["battle_won"], rewards >= 1)
            wins += told["battle_won"][terminations].tolist()
    assert 0 < sum(wins) < len(wins) / 2


def test_nothing_is_said_of_wins_where_a_game_does_not_tell():
    envs = make_env("two_step", num_envs=2)
    envs.reset()
    for _ in range(2):
        assert envs.step([[0, 0], [0, 0]])[-1].keys() == {"avail_actions", "state"}


def test_episode_k_is_the_same_for_every_number_of_environments():
    expected = play_episodes(lbf_batch(num_envs=1), 20)
    assert len({length for _, _, length in expected.values()}) > 1
    for num_envs in (2, 5):
        episodes = play_episodes(lbf_batch(num_envs), 20)
        assert len(episodes) >= 14
        for k, (obs, total, length) in episodes.items():
            np.testing.assert_array_equal(obs, expected[k][0])
            assert (total, length) == tuple(expected[k][1:])


def test_a_seed_restarts_the_episodes():
    envs = lbf_batch(num_envs=2, seed=7)
    first, _ = envs.reset()
    following, _ = envs.reset()
    again, _ = envs.reset(seed=7)
    other, _ = envs.reset(seed=8)
    np.testing.assert_array_equal(again, first)
    assert not np.array_equal(following, first)
    assert not np.array_equal(other, first)


def sync_batch(num_envs, seed=0):
    kinds = [make_env("lbf", task=TASK, episode_limit=6) for _ in range(num_envs)]
    return SyncVectorEnv(kinds, seed)


BATCHES = {"native": lbf_batch, "python": sync_batch}


def trajectory(envs, first, steps=20):
    """Return the numbers of a reset and of some steps after it."""
    shown, played = first, []
    for _ in range(steps):
        played += [shown[0], shown[-1]["avail_actions"], shown[-1]["state"], *shown[1:-1]]
        shown = envs.step(actions_for(shown[0]))
    return [array.tolist() for array in played]


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES)
def test_a_mask_resets_some_environments_and_leaves_the_others(batch):
    envs, next_episode, ended = batch(3), 3, np.zeros(3, bool)
    shown, _ = envs.reset()
    for t in range(30):
        shown, rewards, terminations, truncations, _ = envs.step(actions_for(shown))
        assert not rewards[ended].any()  # those that have ended before, and that no mask has reset, begin here
        next_episode += int(ended.sum())
        ended, mask = terminations | truncations, np.random.default_rng(t).random(3) < 0.2
        if mask.any():
            before, kept = shown, mask.copy()
            shown, infos = envs.reset(options={"reset_mask": mask})
            ended &= ~mask
            assert (mask == kept).all()
            np.testing.assert_array_equal(shown[~mask], before[~mask])
            np.testing.assert_array_equal(infos["state"], shown.reshape(3, -1))
            for k in np.flatnonzero(mask):
                seed = derive_seed(0, Stream.ENVIRONMENT, next_episode)
                first = make_env("lbf", task=TASK, episode_limit=6).reset(seed).obs
                np.testing.assert_array_equal(shown[k], first)
                next_episode += 1
    assert next_episode > 20


def test_native_and_python_batches_reset_alike():
    native, python = lbf_batch(3), sync_batch(3)
    for envs in (native, python):
        envs.reset(seed=5)
    for mask, seed in ((None, [3, 4, 2**62]), ([True, False, True], 9), ([False, True, True], [None, 7, None])):
        options = None if mask is None else {"reset_mask": np.array(mask)}
        shown = [trajectory(envs, envs.reset(seed=seed, options=options)) for envs in (native, python)]
        assert shown[0] == shown[1]


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES)
def test_a_list_has_the_seeds_of_the_environments_own_resets(batch):
    envs, seeds = batch(3), [11, 2**31, 12]
    first, _ = envs.reset(seed=seeds)
    for k, seed in enumerate(seeds):
        point = make_env("lbf", task=TASK, episode_limit=6).reset(seed)
        np.testing.assert_array_equal(first[k], point.obs)
    again = [trajectory(envs, envs.reset(seed=kind(seeds))) for kind in (list, tuple, np.array)]
    assert again == [trajectory(envs, envs.reset(seed=seeds))] * 3
    assert trajectory(envs, envs.reset(seed=[11, 2**31, 13])) != again[0]
    envs.reset(seed=3)
    with_none, _ = envs.reset(seed=[None, 11, None])
    count = batch(3)
    count.reset(seed=3)
    following, _ = count.reset()
    np.testing.assert_array_equal(with_none[[0, 2]], following[[0, 1]])
    np.testing.assert_array_equal(with_none[1], first[0])


NO_MASKS = {
    "a list": [True, False],
    "integers": np.array([1, 0]),
    "short": np.array([True]),
    "long": np.array([True, False, True]),
    "square": np.array([[True, False]]),
    "none": np.array([False, False]),
    "an index": 0,
    "text": "01",
}
NO_SEEDS = (
    [1],
    [1, 2, 3],
    [],
    "ab",
    "1",
    1.0,
    -1,
    2**64,
    True,
    [1, -1],
    [1, 2.0],
    [1, "2"],
    [[1], [2]],
    {0: 1, 1: 2},
)


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES)
def test_other_arguments_of_reset_are_refused_and_change_nothing(batch):
    envs, untouched = batch(2), batch(2)
    mask = np.array([True, False])
    with pytest.raises(RuntimeError, match="reset_mask: expected a reset of all environments before one of some"):
        envs.reset(options={"reset_mask": mask})
    first, _ = envs.reset()
    untouched.reset()
    for other in NO_MASKS.values():
        with pytest.raises(ValueError, match=r"^reset_mask: expected "):
            envs.reset(options={"reset_mask": other})
    for other in ({"randomize": True}, {"reset_mask": mask, "x": 1}, [mask], "reset_mask"):
        with pytest.raises(ValueError, match=r"^options: expected "):
            envs.reset(options=other)
    for other in NO_SEEDS:
        with pytest.raises(ValueError, match=r"^seed: expected "):
            envs.reset(seed=other)
    assert trajectory(envs, envs.step(actions_for(first))) == trajectory(
        untouched, untouched.step(actions_for(first))
    )
    plain = [envs.reset(options=options)[0] for options in ({}, {"reset_mask": None})]
    np.testing.assert_array_equal(plain, [untouched.reset()[0], untouched.reset()[0]])


def test_two_that_are_one_object_are_refused():
    env = Duel()
    with pytest.raises(ConfigError, match="env: expected a new environment at each call, got the same duel twice"):
        SyncVectorEnv([env, env])


def test_what_an_environment_overwrites_later_is_copied_and_its_flags_are_checked():
    class Shares(Duel):
        """Overwrites one array for all of its objects, and the actions."""

        seen = np.zeros((2, 1), np.float32)

        def reset(self, seed):
            return self.share(super().reset(seed))

        def step(self, actions):
            step = super().step(actions)
            actions[:] = -1
            return step._replace(point=self.share(step.point))

        def share(self, point):
            self.seen[:] = id(self) % 1000
            return point._replace(obs=self.seen)

    envs = SyncVectorEnv([Shares() for _ in range(3)])
    expected, actions = [[[id(env) % 1000]] * 2 for env in envs.envs], np.zeros((3, 2), np.int64)
    np.testing.assert_array_equal(envs.reset()[0], expected)
    np.testing.assert_array_equal(envs.step(actions)[0], expected)
    assert not actions.any()

    class Says(Duel):
        def step(self, actions):
            return super().step(actions)._replace(terminated="False")

    envs = SyncVectorEnv([Says()])
    envs.reset()
    with pytest.raises(EnvError, match="episode 0, step 0: terminated: expected a bool, got str 'False'"):
        envs.step(actions[:1])


def test_a_step_needs_a_reset():
    with pytest.raises(RuntimeError, match="reset the environment"):
        lbf_batch(num_envs=1).step([[0, 0]])


@pytest.mark.parametrize("num_envs", [0, -1])
def test_at_least_one_environment(num_envs):
    with pytest.raises(ConfigError, match=f"num_envs: expected a positive integer, got {num_envs}"):
        lbf_batch(num_envs)


def test_close_closes_every_environment(monkeypatch):
    envs, closed = SyncVectorEnv([TwoStep() for _ in range(3)]), []
    for env in envs.envs:
        monkeypatch.setattr(env, "close", lambda env=env: closed.append(env))
    envs.close()
    assert closed == envs.envs
