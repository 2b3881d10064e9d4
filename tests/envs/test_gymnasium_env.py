"""The adapter for gymnasium environments with tuple spaces."""

import sys

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec

from pyqmix import ConfigError
from pyqmix.envs import GymnasiumOptions, make_env
from pyqmix.envs.gymnasium_env import GymnasiumEnv, make_gymnasium_env

ACTIONS = np.array([1, 2])


def box(*shape, dtype=np.float32):
    return spaces.Box(0, 100, shape, dtype)


TWO_BOXES = (box(2, 3), box(2, 3))


class Counter(gymnasium.Env):
    """Two agents that observe the number of steps; it never ends by itself."""

    def __init__(self, boxes=TWO_BOXES, actions=(2, 3), reward=(1.0, 2.5)):
        self.observation_space = spaces.Tuple(boxes) if isinstance(boxes, tuple) else boxes
        sizes = [spaces.Discrete(a) if isinstance(a, int) else a for a in actions]
        self.action_space = spaces.Tuple(sizes)
        self.reward, self.terminated, self.spoiled, self.closed = reward, False, None, False

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self.observe(), {}

    def step(self, actions):
        assert actions in self.action_space
        self.steps += 1
        return self.observe(), self.reward, self.terminated, False, {}

    def observe(self):
        first = np.full(self.observation_space[0].shape, self.steps, self.observation_space[0].dtype)
        return first, first + 1 if self.spoiled is None else self.spoiled

    def close(self):
        self.closed = True


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setitem(gymnasium.registry, "Counter-v0", EnvSpec("Counter-v0", Counter, max_episode_steps=5))
    return "Counter-v0"


def end_of(env):
    """Return how an episode ended, and after how many steps."""
    env.reset(seed=0)
    for steps in range(1, 100):
        step = env.step(ACTIONS)
        if step.terminated or step.truncated:
            return step.terminated, step.truncated, steps
    raise AssertionError("it never ended")


def test_observations_are_flat_and_the_state_is_their_concatenation():
    env = GymnasiumEnv(Counter(), episode_limit=4)
    spec = env.spec
    assert (spec.n_agents, spec.n_actions, spec.obs_dim, spec.state_dim, spec.episode_limit) == (2, 3, 6, 12, 4)
    assert spec.concat_state
    env.reset(seed=0)
    point = env.step(ACTIONS).point
    np.testing.assert_array_equal(point.obs, [[1] * 6, [2] * 6])
    assert point.obs.dtype == np.float32
    assert point.state is None


def test_surplus_actions_are_masked():
    point = GymnasiumEnv(Counter(), episode_limit=4).reset(seed=0)
    np.testing.assert_array_equal(point.avail, [[True, True, False], [True, True, True]])


@pytest.mark.parametrize("reward", [(1.0, 2.5), [1.0, 2.5], np.array([1.0, 2.5]), 3.5, np.float32(3.5)])
def test_team_reward(reward):
    env = GymnasiumEnv(Counter(reward=reward), episode_limit=4)
    env.reset(seed=0)
    assert env.step(ACTIONS).reward == 3.5


@pytest.mark.parametrize(
    ("dtype", "storage"), [("int8", "int8"), ("uint8", "uint8"), ("int16", "int16"), ("float64", "float32")]
)
def test_storage_is_the_observations_dtype(dtype, storage):
    env = GymnasiumEnv(Counter(boxes=(box(3, dtype=dtype),) * 2), episode_limit=4)
    assert env.spec.obs_storage == storage
    assert env.reset(seed=0).obs.dtype == np.float32


@pytest.mark.parametrize(
    "boxes",
    [box(2), ()],
    ids=["no tuple", "empty"],
)
def test_other_observation_spaces(boxes):
    with pytest.raises(ConfigError, match="Counter: expected an observation space that is a Tuple with one space"):
        GymnasiumEnv(Counter(boxes=boxes), episode_limit=4)


@pytest.mark.parametrize("actions", [(2,), (2, 3, 4), (2, box(1))])
def test_other_action_spaces(actions):
    with pytest.raises(ConfigError, match="Counter: expected an action space that is a Tuple of 2 Discrete"):
        GymnasiumEnv(Counter(actions=actions), episode_limit=4)


def test_a_limit_is_needed():
    with pytest.raises(ConfigError, match="Counter has no step limit of its own: set episode_limit"):
        GymnasiumEnv(Counter())


@pytest.mark.parametrize("limit", [0, -1])
def test_the_limit_is_positive(registered, limit):
    with pytest.raises(ConfigError, match=f"episode_limit: expected an integer of at least 1, got {limit}"):
        make_gymnasium_env(GymnasiumOptions(task=registered, episode_limit=limit))


@pytest.mark.parametrize(("limit", "length"), [(None, 5), (3, 3), (9, 5)])
def test_the_smaller_limit_truncates(registered, limit, length):
    env = make_gymnasium_env(GymnasiumOptions(task=registered, episode_limit=limit))
    assert end_of(env) == (False, True, length)
    assert end_of(env) == (False, True, length), "the count of steps starts anew"


def test_termination_at_the_limit_is_no_truncation():
    world = Counter()
    world.terminated = True
    assert end_of(GymnasiumEnv(world, episode_limit=1)) == (True, False, 1)


@pytest.mark.parametrize(
    ("spoiled", "message"),
    [
        (np.zeros((3, 2), np.float32), r"agent 1: expected \(2, 3\) float32, got \(3, 2\) float32"),
        (np.zeros((2, 3), np.float64), r"agent 1: expected \(2, 3\) float32, got \(2, 3\) float64"),
        ([[0, 0, 0], [0, 0, 0]], r"agent 1: expected \(2, 3\) float32, got list"),
    ],
    ids=["shape", "dtype", "type"],
)
def test_observations_that_change_in_mid_episode(spoiled, message):
    env = GymnasiumEnv(Counter(), episode_limit=4)
    env.reset(seed=0)
    env.step(ACTIONS)
    env.env.spoiled = spoiled
    with pytest.raises(ValueError, match=message):
        env.step(ACTIONS)


def test_missing_observations():
    env = GymnasiumEnv(Counter(), episode_limit=4)
    env.env.observe = lambda: (np.zeros((2, 3), np.float32),)
    with pytest.raises(ValueError, match="expected 2 observations, got 1"):
        env.reset(seed=0)


def test_close_reaches_the_environment():
    env = GymnasiumEnv(Counter(), episode_limit=4)
    env.close()
    assert env.env.closed


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("Countr-v0", r"task: gymnasium cannot make 'Countr-v0': .*did you mean Counter-v0"),
        ("no_such_module:Counter-v0", "gymnasium cannot make 'no_such_module:Counter-v0'"),
        (None, "--env gymnasium needs --task"),
    ],
)
def test_unknown_task(registered, task, message):
    with pytest.raises(ConfigError, match=message):
        make_env("gymnasium", task=task)


def test_the_original_foraging_plays_with_its_own_limit():
    env = make_gymnasium_env(GymnasiumOptions(task="Foraging-5x5-2p-1f-v3"))
    assert env.spec.episode_limit == 50
    env.reset(0)
    assert env.step(np.zeros(2, np.int64)).point.obs.shape == (2, 9)


def test_the_original_foraging_without_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "lbforaging", None)
    with pytest.raises(ConfigError, match=r"need lbforaging: pip install 'pyqmix-marl\[lbforaging\]'"):
        make_gymnasium_env(GymnasiumOptions(task="Foraging-5x5-2p-1f-v3"))


def test_arguments_reach_the_environment():
    env = make_gymnasium_env(GymnasiumOptions(task="Foraging-5x5-2p-1f-v3", env_args={"max_episode_steps": 7}))
    assert env.spec.episode_limit == 7
