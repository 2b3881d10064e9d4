"""Batches of environments in gymnasium's conventions."""

import zlib

import numpy as np
import pytest
from duel import Duel
from gymnasium.vector import AutoresetMode

from pyqmix import ConfigError
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


def test_a_list_of_seeds_is_refused():
    with pytest.raises(ValueError, match="seed: expected one integer"):
        lbf_batch(num_envs=2).reset(seed=[1, 2])


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
