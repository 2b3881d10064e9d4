"""The seeds that environments get: of an int of C in Python, of 63 bits in native ones."""

import ctypes

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from pyqmix import Config
from pyqmix.base.seeding import Stream, derive_seed, episode_seed
from pyqmix.envs import SyncVectorEnv, TwoStep, adapt, check_env
from pyqmix.envs.worlds import EnvWorlds
from pyqmix.learn.learner import Learner
from pyqmix.play.evaluator import Evaluator
from pyqmix.play.rollout import Rollout


class Old(gymnasium.Env):
    """As simulators of other times: NumPy's global random numbers, and a seed that C takes."""

    observation_space = spaces.Tuple([spaces.Box(0, 1, (1,), np.float64)] * 2)
    action_space = spaces.Tuple([spaces.Discrete(2)] * 2)
    max_steps = 2

    def __init__(self):
        self.seeds = []

    def reset(self, *, seed=None, options=None):
        if ctypes.c_int(seed).value != seed:
            raise OverflowError(f"{seed} is no int of C")
        np.random.seed(seed)
        self.seeds.append(seed)
        return self.seen(), {}

    def step(self, actions):
        return self.seen(), 1.0, False, False, {}

    def seen(self):
        return np.random.random((1,)), np.random.random((1,))


@pytest.fixture(autouse=True)
def _global_random_numbers_stay():
    state = np.random.get_state()
    yield
    np.random.set_state(state)


def test_seeds_are_below_two_to_the_31_and_the_upper_bits_of_native_ones():
    seeds = [episode_seed(7, Stream.ENVIRONMENT, k, wide=False) for k in range(1000)]
    wide = [episode_seed(7, Stream.ENVIRONMENT, k, wide=True) for k in range(1000)]
    assert wide == [derive_seed(7, Stream.ENVIRONMENT, k) for k in range(1000)]
    assert seeds == [seed >> 32 for seed in wide]
    assert 2**30 < max(seeds) < 2**31
    assert len(set(seeds)) == 1000


def test_every_caller_gives_seeds_that_fit():
    env = adapt(Old())
    check_env(adapt(Old()), episodes=3)
    agent = Learner(env.spec, Config()).agent
    rollout = Rollout([env], agent, 3, Stream.ENVIRONMENT)
    rollout.play(0, 3, 1.0)
    expected = [episode_seed(3, Stream.ENVIRONMENT, k, wide=False) for k in range(3)]
    assert env.env.seeds == [0, *expected]  # 0 is that of the constructor
    SyncVectorEnv([env], seed=3).reset()
    assert env.env.seeds[-1] == expected[0]
    config = Config().with_own(env=Old).replace(eval_episodes=2)
    Evaluator(config, agent, 3).evaluate(2)


def test_native_environments_keep_their_seeds(monkeypatch):
    seen = []
    start = TwoStep.reset
    monkeypatch.setattr(TwoStep, "reset", lambda self, seed: (seen.append(seed), start(self, seed))[1])
    env = TwoStep()
    Rollout(EnvWorlds([env]), Learner(env.spec, Config(env="two_step")).agent, 3, Stream.ENVIRONMENT).play(
        0, 2, 1.0
    )
    SyncVectorEnv([env, TwoStep()], seed=3).reset()
    assert seen == [derive_seed(3, Stream.ENVIRONMENT, k) for k in (0, 1, 0, 1)]
