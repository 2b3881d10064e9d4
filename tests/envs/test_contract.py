"""A point or a step that breaks the environments' protocol is named with environment, episode, step and agent."""

import numpy as np
import pytest

from pyqmix import EnvError
from pyqmix.base.spec import EpisodeSpec
from pyqmix.envs import Point, Step
from pyqmix.envs.contract import Contract

SPEC = EpisodeSpec(n_agents=3, n_actions=2, obs_dim=4, state_dim=5, episode_limit=9)
CONCATENATED = EpisodeSpec(3, 2, 4, 12, 9, concat_state=True)


def point(**changes):
    arrays = {"obs": np.zeros((3, 4), np.float32), "avail": np.ones((3, 2), np.bool_)}
    return Point(**{**arrays, "state": np.zeros(5, np.float32), **changes})


def odd(shape, where, value):
    array = np.zeros(shape, np.float32)
    array[where] = value
    return array


def masked(*agents):
    avail = np.ones((3, 2), np.bool_)
    avail[list(agents)] = False
    return avail


POINTS = {
    "no point": ((1, 2, 3), "expected a pyqmix.envs.Point, got tuple"),
    "obs: agents": (
        point(obs=np.zeros((2, 4), np.float32)),
        "obs of 3 agents: expected (3, 4) float32, got (2, 4) float32",
    ),
    "obs: width": (
        point(obs=np.zeros((3, 5), np.float32)),
        "obs: expected (3, 4) float32, got (3, 5) float32",
    ),
    "obs: dtype": (point(obs=np.zeros((3, 4))), "obs: expected (3, 4) float32, got (3, 4) float64"),
    "obs: a list": (point(obs=[[0.0] * 4] * 3), "obs: expected (3, 4) float32, got list"),
    "obs: NaN": (point(obs=odd((3, 4), (1, 2), np.nan)), "obs of agent 1: entry 2 is nan"),
    "obs: inf": (point(obs=odd((3, 4), (2, 0), -np.inf)), "obs of agent 2: entry 0 is -inf"),
    "avail: dtype": (
        point(avail=np.ones((3, 2), np.int8)),
        "avail: expected (3, 2) bool, got (3, 2) int8",
    ),
    "avail: agents": (
        point(avail=np.ones((4, 2), np.bool_)),
        "avail of 3 agents: expected (3, 2) bool, got (4, 2) bool",
    ),
    "avail: none": (point(avail=masked(1, 2)), "agent 1 has no available action"),
    "state: missing": (point(state=None), "state: expected (5,) float32, got NoneType"),
    "state: shape": (
        point(state=np.zeros((1, 5), np.float32)),
        "state: expected (5,) float32, got (1, 5) float32",
    ),
    "state: NaN": (point(state=odd(5, 3, np.nan)), "state: entry 3 is nan"),
}


@pytest.mark.parametrize(("broken", "message"), POINTS.values(), ids=POINTS)
def test_a_broken_point_is_named(broken, message):
    contract = Contract("mine", SPEC)
    contract.check_point(point(), 7, 2)
    with pytest.raises(EnvError) as error:
        contract.check_point(broken, 7, 2)
    assert str(error.value) == f"environment mine, episode 7, step 2: {message}"


def test_a_state_that_is_not_stored_must_be_none():
    contract = Contract("mine", CONCATENATED)
    contract.check_point(point(state=None), 0, 0)
    with pytest.raises(EnvError, match=r"state: expected None, .* concat_state, got \(12,\) float32"):
        contract.check_point(point(state=np.zeros(12, np.float32)), 0, 0)


STEPS = {
    "no step": ((point(), 1.0, False, False), "step 4: expected a pyqmix.envs.Step, got tuple"),
    "reward: array": (
        Step(point(), np.zeros(3), False, False),
        r"step 4: reward: expected a number, got \(3,\) float64",
    ),
    "reward: None": (Step(point(), None, False, False), "step 4: reward: expected a number, got NoneType"),
    "reward: NaN": (Step(point(), np.nan, False, False), "step 4: the reward is nan"),
    "reward: an integer": (
        Step(point(), 10**5000, False, False),
        "step 4: the reward is an integer of 16610 bits",
    ),
    "reward: longdouble": (Step(point(), np.longdouble("1e400"), False, False), "step 4: the reward is "),
    "reward: float32": (Step(point(), 1e39, False, False), r"step 4: the reward is 1e\+39"),
    "terminated": (Step(point(), 1.0, 1, False), "step 4: terminated: expected a bool, got int 1"),
    "truncated": (Step(point(), 1.0, False, None), "step 4: truncated: expected a bool, got NoneType"),
    "won": (Step(point(), 1.0, True, False, "yes"), "step 4: won: expected a bool or None, got str 'yes'"),
    "the point": (Step(point(obs=odd((3, 4), (0, 1), np.inf)), 1.0, False, False), "step 5: obs of agent 0"),
    "no action after truncation": (
        Step(point(avail=masked(0)), 1.0, False, True),
        "step 5: agent 0 has no available action",
    ),
}


@pytest.mark.parametrize(("broken", "message"), STEPS.values(), ids=STEPS)
def test_a_broken_step_is_named(broken, message):
    with pytest.raises(EnvError, match=f"^environment mine, episode 0, {message}"):
        Contract("mine", SPEC).check_step(broken, 0, 4)


@pytest.mark.parametrize("reward", [1, 1.0, np.float32(1), np.float16(1), np.int8(-128), np.finfo(np.float32).max])
@pytest.mark.parametrize("won", [None, True, np.True_])
def test_numbers_and_bools_of_numpy_are_as_good_as_pythons(reward, won):
    Contract("mine", SPEC).check_step(Step(point(), reward, np.False_, False, won), 0, 0)


def test_no_action_is_needed_after_termination():
    Contract("mine", SPEC).check_step(Step(point(avail=masked(0, 1, 2)), 1.0, True, False), 0, 0)


def test_agents_have_the_names_of_their_library():
    with pytest.raises(EnvError, match="step 5: agent b has no available action"):
        Contract("mine", SPEC, ["a", "b", "c"]).check_step(Step(point(avail=masked(1)), 1.0, False, True), 0, 4)


def test_an_episode_ends_at_its_limit():
    last = SPEC.episode_limit - 1
    Contract("mine", SPEC).check_step(Step(point(), 1.0, False, True), 0, last)
    with pytest.raises(EnvError, match=f"step {last + 1}: it has not ended after its limit of {last + 1} steps"):
        Contract("mine", SPEC).check_step(Step(point(), 1.0, False, False), 0, last)
