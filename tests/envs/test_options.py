"""Options that every environment has: the same for native worlds and for those that are stepped in Python."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from pyqmix import ConfigError, make_env
from pyqmix.envs import LbfEnv, SyncVectorEnv
from pyqmix.envs.gymnasium_env import GymnasiumEnv
from pyqmix.envs.last_action import LastActionEnv


class Paying(gymnasium.Env):
    """Two agents with observations in [-4, 8], rewards 1 and 3; reports termination in its third step."""

    def __init__(self, low=-4.0, high=8.0):
        self.observation_space = spaces.Tuple([spaces.Box(low, high, (2,), np.float32)] * 2)
        self.action_space = spaces.Tuple([spaces.Discrete(3)] * 2)
        self.steps = 0

    def reset(self, *, seed=None, options=None):
        self.steps = 0
        return (np.zeros(2, np.float32),) * 2, {}

    def step(self, actions):
        self.steps += 1
        return (np.full(2, self.steps, np.float32),) * 2, [1.0, 3.0], self.steps == 3, False, {}


def ends(env):
    env.reset(0)
    steps = [env.step(np.zeros(2, np.int64)) for _ in range(3)]
    return [(step.terminated, step.truncated) for step in steps]


def test_a_termination_at_the_limit_is_truncation_where_that_is_asked_for():
    assert ends(GymnasiumEnv(Paying(), episode_limit=3)) == [(False, False)] * 2 + [(True, False)]
    cut = GymnasiumEnv(Paying(), episode_limit=3, truncate_at_limit=True)
    assert ends(cut) == [(False, False)] * 2 + [(False, True)]
    early = GymnasiumEnv(Paying(), episode_limit=4, truncate_at_limit=True)
    assert ends(early) == [(False, False)] * 2 + [(True, False)], "it ended by itself, before the limit"


def test_rewards_are_added_or_averaged():
    for kind, expected in (("sum", 4.0), ("mean", 2.0)):
        env = GymnasiumEnv(Paying(), episode_limit=3, team_reward=kind)
        env.reset(0)
        assert env.step(np.zeros(2, np.int64)).reward == expected


def test_inputs_are_scaled_by_the_largest_value_of_their_space():
    spec = GymnasiumEnv(Paying(), episode_limit=3, scale_inputs=True).spec
    assert spec.obs_scale == (0.125, 0.125)
    assert spec.state_scale == (0.125,) * 4
    assert GymnasiumEnv(Paying(0.0, 0.0), episode_limit=3, scale_inputs=True).spec.obs_scale == (1.0, 1.0)
    with pytest.raises(ConfigError, match="scale_inputs: Paying has observations without bounds"):
        GymnasiumEnv(Paying(high=np.inf), episode_limit=3, scale_inputs=True)


def test_the_scale_covers_every_agent_and_every_value_of_a_narrow_dtype():
    env = Paying()
    env.observation_space = spaces.Tuple([spaces.Box(-128, 127, (1,), np.int8), spaces.Box(0, 1, (1,), np.int8)])
    assert GymnasiumEnv(env, episode_limit=3, scale_inputs=True).spec.obs_scale == (1 / 128,)
    env.observation_space = spaces.Tuple(
        [spaces.Box(0, 1, (1,), np.float32), spaces.Box(0, 100, (1,), np.float32)]
    )
    assert GymnasiumEnv(env, episode_limit=3, scale_inputs=True).spec.obs_scale == (0.01,)


def test_the_last_action_stands_behind_the_observation():
    env = LastActionEnv(GymnasiumEnv(Paying(), episode_limit=3, scale_inputs=True))
    assert (env.spec.obs_dim, env.spec.state_dim, env.spec.concat_state) == (5, 10, True)
    assert env.spec.obs_scale == (0.125, 0.125, 1, 1, 1)
    np.testing.assert_array_equal(env.reset(0).obs, np.zeros((2, 5)))
    np.testing.assert_array_equal(env.step(np.array([2, 0])).point.obs, [[1, 1, 0, 0, 1], [1, 1, 1, 0, 0]])
    np.testing.assert_array_equal(env.reset(0).obs, np.zeros((2, 5)))


@pytest.mark.parametrize("options", [{}, {"global_state": True}])
def test_native_worlds_show_the_last_action_as_python_does(options):
    task = "Foraging-6x6-3p-2f-v3"
    native = SyncVectorEnv([LbfEnv(task, last_action=True, **options)])
    python = SyncVectorEnv([LastActionEnv(LbfEnv(task, **options))])
    assert native.spec_of_episodes == python.spec_of_episodes
    seen = [env.reset()[0] for env in (native, python)]
    random = np.random.default_rng(0)
    for _ in range(60):
        np.testing.assert_array_equal(*seen)
        actions = random.integers(6, size=(1, 3))
        (obs, *_, info), (other, *_, other_info) = (env.step(actions) for env in (native, python))
        np.testing.assert_array_equal(info["state"], other_info["state"])
        seen = [obs, other]


@pytest.mark.parametrize("name", ["two_step", "matrix"])
def test_games_have_the_inputs_of_all_environments(name):
    payoff = {"payoff": [[1, 2, 3], [4, 5, 6]]} if name == "matrix" else {}
    plain = make_env(name, **payoff)
    env = make_env(name, last_action=True, scale_inputs=True, **payoff)
    assert env.spec.obs_dim == plain.spec.obs_dim + plain.spec.n_actions
    assert set(env.spec.obs_scale) == {1.0}
    first = env.reset(0)
    assert not first.obs[:, plain.spec.obs_dim :].any()
    codes = env.step(np.array([1, 0])).point.obs[:, plain.spec.obs_dim :]
    np.testing.assert_array_equal(codes, np.eye(plain.spec.n_actions)[[1, 0]])


@pytest.mark.parametrize("num_envs", [None, 2])
@pytest.mark.parametrize(
    ("env", "task"), [("gymnasium", "Foraging-5x5-2p-1f-v3"), ("own_parts:Meeting", None), ("lbf", None)]
)
def test_every_family_adds_the_last_action_once(env, task, num_envs):
    options = {"task": task, "episode_limit": 6, "num_envs": num_envs}
    plain, wider = (make_env(env, **options, last_action=shown) for shown in (False, True))
    before, after = ((x.spec if num_envs is None else x.spec_of_episodes) for x in (plain, wider))
    assert after.obs_dim == before.obs_dim + before.n_actions
