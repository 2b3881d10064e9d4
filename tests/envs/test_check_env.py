"""check_env finds every planted fault of an environment, and nothing in those that are sound."""

import warnings
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from python_games import PythonMatrix, PythonTwoStep
from smac_envs import SeededSkirmish, Skirmish

from pyqmix import ConfigError, EnvError, make_env
from pyqmix.envs import EpisodeSpec, Point, Step, check_env
from pyqmix.envs.last_action import LastActionEnv


class Walk:
    """Three agents, a random walk of integers, random masks; subclasses change a part of it."""

    name = "walk"
    spec = EpisodeSpec(n_agents=3, n_actions=4, obs_dim=5, state_dim=2, episode_limit=6, obs_storage="int16")

    def reset(self, seed):
        self.random, self.t = np.random.default_rng(seed), 0
        self.length = self.random.integers(3, 7)
        return self.point()

    def step(self, actions):
        self.t += 1
        ended = self.t >= self.length
        return Step(self.point(), float(actions @ [1, 4, 16]), bool(ended), False, None)

    def close(self):
        pass

    def point(self):
        obs = self.random.integers(-9, 10, (3, 5)).astype(np.float32)
        avail = self.random.random((3, 4)) < 0.5
        avail[:, self.random.integers(4)] = True
        return Point(obs, avail, obs[0, :2].copy())


def at_points(change):
    """Let ``change(point, t)`` return another point."""

    class Changed(Walk):
        def point(self):
            return change(super().point(), self.t)

    return Changed


def at_steps(change):
    """Let ``change(step, t)`` return another step."""

    class Changed(Walk):
        def step(self, actions):
            return change(super().step(actions), self.t)

    return Changed


def with_entry(key, where, value, since=2):
    def change(point, t):
        if t >= since:
            getattr(point, key)[where] = value
        return point

    return at_points(change)


class SeedIgnored(Walk):
    def reset(self, seed):
        return super().reset(None)


class Unseeded(Walk):
    def step(self, actions):
        step = super().step(actions)
        return step._replace(reward=float(np.random.default_rng().random()))


class Reused(Walk):
    """Shows one array again and again."""

    def __init__(self):
        self.obs = np.zeros((3, 5), np.float32)

    def point(self):
        point = super().point()
        self.obs[:] = point.obs
        return point._replace(obs=self.obs)


class ReusedByReset(Walk):
    """The first state of each episode lies in one array."""

    def __init__(self):
        self.first = np.zeros(2, np.float32)

    def point(self):
        point = super().point()
        if self.t:
            return point
        self.first[:] = point.state
        return point._replace(state=self.first)


class ActionsChanged(Walk):
    def step(self, actions):
        step = super().step(actions)
        actions += 1
        return step


class Raises(Walk):
    def __init__(self, where):
        self.where = where

    def reset(self, seed):
        if self.where == "reset":
            raise KeyError("boom")
        return super().reset(seed)

    def step(self, actions):
        if self.where == "step":
            raise KeyError("boom")
        return super().step(actions)

    def close(self):
        if self.where == "close":
            raise KeyError("boom")


def spec_of(**changes):
    class Changed(Walk):
        spec = replace(Walk.spec, **changes)

    return Changed


def no_actions(step, t):
    point = step.point._replace(avail=np.zeros((3, 4), np.bool_))
    return step._replace(point=point, terminated=False, truncated=step.terminated) if step.terminated else step


FAULTS = {
    "wrong obs_dim": (spec_of(obs_dim=6), r"step 0: obs: expected \(3, 6\) float32, got \(3, 5\) float32"),
    "wrong n_agents": (spec_of(n_agents=4), r"step 0: obs of 4 agents: expected \(4, 5\) float32, got \(3, 5\)"),
    "wrong n_actions": (spec_of(n_actions=3), r"step 0: avail: expected \(3, 3\) bool, got \(3, 4\) bool"),
    "wrong state_dim": (spec_of(state_dim=3), r"step 0: state: expected \(3,\) float32, got \(2,\) float32"),
    "state not none": (spec_of(concat_state=True, state_dim=15), r"state: expected None, .*, got \(2,\)"),
    "dtype": (
        at_points(lambda p, t: p._replace(obs=p.obs.astype(np.float64))),
        "step 0: obs: expected .* float32, got .* float64",
    ),
    "mask dtype": (
        at_points(lambda p, t: p._replace(avail=p.avail.astype(np.int8))),
        "step 0: avail: expected .* bool, got .* int8",
    ),
    "agent count": (
        at_points(lambda p, t: p._replace(obs=p.obs[: 3 - (t == 2)])),
        r"step 2: obs of 3 agents: expected \(3, 5\) float32, got \(2, 5\) float32",
    ),
    "NaN": (with_entry("obs", (1, 3), np.nan), "step 2: obs of agent 1: entry 3 is nan"),
    "inf": (with_entry("state", 1, np.inf), "step 2: state: entry 1 is inf"),
    "empty action set": (with_entry("avail", 2, False, since=1), "step 1: agent 2 has no available action"),
    "empty at truncation": (at_steps(no_actions), r"step \d: agent 0 has no available action"),
    "reward": (at_steps(lambda s, t: s._replace(reward=np.nan)), "step 0: the reward is nan"),
    "flag": (at_steps(lambda s, t: s._replace(terminated=0)), "step 0: terminated: expected a bool, got int 0"),
    "no Step": (at_steps(lambda s, t: tuple(s)), "step 0: expected a pyqmix.envs.Step, got tuple"),
    "endless": (
        at_steps(lambda s, t: s._replace(terminated=False)),
        "step 6: it has not ended after its limit of 6 steps",
    ),
    "storage: fraction": (
        with_entry("obs", (0, 4), 0.5),
        "step 2: obs of agent 0: entry 4 is 0.5, which",
    ),
    "storage: range": (
        with_entry("obs", (2, 0), 40_000.0),
        "step 2: obs of agent 2: entry 0 is 40000.0, which obs_storage int16 cannot hold",
    ),
    "storage: state": (spec_of(state_storage="uint8"), r"state: entry \d is -\d.0, which state_storage uint8"),
    "seed ignored": (SeedIgnored, r"reset\(\d+\) and the same actions do not reproduce episode 0: after "),
    "unseeded": (Unseeded, "do not reproduce episode 0: after step 0, reward was .* and is "),
    "aliasing": (Reused, "step 0: obs of step 0 was overwritten by a later call"),
    "aliasing by reset": (ReusedByReset, "episode 1, step 0: state of step 0 was overwritten by a later call"),
    "actions changed": (ActionsChanged, "step 0: step has changed the array of actions"),
    "reset raises": (lambda: Raises("reset"), "step 0: reset raised KeyError: 'boom'"),
    "step raises": (lambda: Raises("step"), "step 0: step raised KeyError: 'boom'"),
    "close raises": (lambda: Raises("close"), "close raised KeyError: 'boom'"),
}


@pytest.mark.parametrize(("make", "message"), FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_is_found(make, message):
    with pytest.raises(EnvError, match=f"^environment walk.*{message}") as error:
        check_env(make())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("make", "message"), FAULTS.values(), ids=FAULTS)
def test_the_environment_is_closed_after_an_error(make, message):
    env, closed = make(), []
    env.close = lambda: closed.append(True)
    if "close raised" not in message:
        with pytest.raises(EnvError):
            check_env(env)
        assert closed == [True]


class NoReward(Walk):
    def step(self, actions):
        return super().step(actions)._replace(reward=0.0)


class StillAgent(Walk):
    def point(self):
        point = super().point()
        point.obs[1] = 7.0
        return point._replace(state=np.ones(2, np.float32))


class History(Walk):
    """The first observation shows the seed of the episode before."""

    last = 0

    def reset(self, seed):
        point = super().reset(seed)
        point.obs[0, 0], self.last = self.last % 97, seed
        return point


class OutOfReach(Walk):
    spec = replace(Walk.spec, n_actions=5)

    def point(self):
        point = super().point()
        return point._replace(avail=np.pad(point.avail, ((0, 0), (0, 1))))


class SomeWins(Walk):
    def step(self, actions):
        step = super().step(actions)
        return step._replace(won=True if step.terminated and self.length % 2 else None)


class ResetsItself(Walk):
    def step(self, actions):
        if self.t >= self.length:
            self.t = 0
        return super().step(actions)


SUSPICIOUS = {
    "reward": (NoReward, ["the reward was always zero in 5 episodes with random actions"]),
    "inputs": (StillAgent, [r"observations of agents \[1\] never changed", "the state never changed"]),
    "history": (
        History,
        ["do not reproduce episode 0: after reset, obs of agent 0, entry 0, .* on those"],
    ),
    "action": (OutOfReach, [r"no agent ever had the actions \[4\] available"]),
    "wins": (SomeWins, ["won was told at the end of some episodes only"]),
    "after the end": (ResetsItself, ["a step after the end goes on"]),
    "notes": (lambda: vars(walk := Walk()).update(notes=("info holds 'x'",)) or walk, ["info holds 'x'"]),
}


@pytest.mark.parametrize(("make", "messages"), SUSPICIOUS.values(), ids=SUSPICIOUS)
def test_what_is_suspicious_is_a_warning(make, messages):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_env(make())
    assert len(caught) == len(messages)
    for warning, message in zip(caught, messages, strict=True):
        assert warning.category is UserWarning
        with pytest.raises(AssertionError, match=f"^environment walk: .*{message}"):
            raise AssertionError(str(warning.message))


def test_a_few_equal_episodes_do_not_hide_that_the_seed_is_ignored():
    """An unseeded simulator of SMAC's interface, whose first replay is equal by chance."""
    with (
        pytest.raises(EnvError, match=r"^environment Skirmish, .* do not reproduce episode [1-3]: after "),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        check_env(Skirmish())


class Pair(gymnasium.Env):
    """An environment of gymnasium for the adapter."""

    observation_space = spaces.Tuple([spaces.Box(-9, 9, (3,), np.float32)] * 2)
    action_space = spaces.Tuple([spaces.Discrete(2)] * 2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return self.show(), {}

    def step(self, actions):
        self.t += 1
        return self.show(), float(sum(actions)), self.t == 3, False, {}

    def show(self):
        return tuple(self.np_random.random((2, 3), dtype=np.float32))


SOUND = {
    "protocol": Walk,
    "last action": lambda: LastActionEnv(Walk()),
    "SMAC's interface": SeededSkirmish,
    "two_step": PythonTwoStep,
    "matrix": lambda: PythonMatrix([[1, 0], [0, 2]]),
    "native two_step": lambda: make_env("two_step"),
    "native matrix": lambda: make_env("matrix", payoff=[[1, 0], [0, 2]]),
    "native lbf": lambda: make_env("lbf", task="Foraging-5x5-2p-1f-v3", episode_limit=9, action_mask=True),
}


@pytest.mark.parametrize("make", SOUND.values(), ids=SOUND)
def test_nothing_is_found_in_a_sound_environment(make):
    check_env(make(), episodes=20)


def test_an_environment_of_another_library_is_adapted():
    check_env(Pair(), episode_limit=3)
    with pytest.raises(EnvError, match=r"^environment Broken, episode 0, step 1: obs of agent 0: entry 0 is nan"):
        check_env(Broken(), episode_limit=3)


class Broken(Pair):
    def step(self, actions):
        return (np.full(3, np.nan, np.float32),) * 2, 0.0, True, False, {}


class NoSpec(Walk):
    spec = None


class Nameless(Walk):
    name = 3


@pytest.mark.parametrize(
    ("env", "options", "message"),
    [
        (NoSpec(), {}, r"NoSpec.spec: expected a pyqmix.envs.EpisodeSpec, got None"),
        (Nameless(), {}, r"Nameless.name: expected a text that is not empty, got 3"),
        (Walk, {}, r"env: expected .*, got the class Walk itself"),
        (object(), {}, r"env: object: expected "),
        (Walk(), {"episodes": 0}, r"episodes: expected an integer of at least 1, got 0"),
    ],
    ids=["spec", "name", "class", "object", "episodes"],
)
def test_what_is_no_environment_is_named(env, options, message):
    with pytest.raises(ConfigError, match=message):
        check_env(env, **options)
