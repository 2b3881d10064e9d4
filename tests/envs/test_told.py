"""Whatever an environment of another library returns is read exactly, or refused in one sentence."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from pettingzoo_envs import Dying
from smac_envs import Skirmish

from pyqmix import ConfigError, EnvError
from pyqmix.envs import adapt, check_env
from pyqmix.envs.observation import SpaceEncoder, as_vector
from pyqmix.envs.pettingzoo_env import PettingZooEnv
from pyqmix.envs.smac import SmacEnv
from pyqmix.envs.told import ending, exact, flag, flags, rewards_of

ACTIONS = np.zeros(2, np.int64)
ACTION_SPACE = spaces.Tuple([spaces.Discrete(3)] * 2)
BOX = spaces.Box(-np.inf, np.inf, (2,), np.float32)


class Told(gymnasium.Env):
    """Two agents in an environment that returns what it is told to.

    Args:
        space: of each agent's observation.
        seen: the observations of the episode's later steps, in a list of one; None: zeros.
        **told: the reward, terminated, truncated or info of each step, or the whole of what step or reset returns.
    """

    max_steps = 5

    def __init__(self, space=BOX, seen=None, **told):
        self.observation_space, self.action_space = spaces.Tuple([space] * 2), ACTION_SPACE
        self.zeros, self.told = tuple(np.zeros(space.shape, space.dtype) for _ in range(2)), told
        self.seen = self.zeros if seen is None else seen[0]

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.told.get("reset", (self.zeros, self.told.get("first_info", {})))

    def step(self, actions):
        told = {"reward": 1.0, "terminated": False, "truncated": False, "info": {}, **self.told}
        names = ("reward", "terminated", "truncated", "info")
        return self.told.get("step", (self.seen, *(told[name] for name in names)))


def stepped(**told):
    env = adapt(Told(**told))
    env.reset(0)
    return env.step(ACTIONS)


class ArrayLike:
    """As arrays of other libraries are: no subclass of NumPy's."""

    def __init__(self, values):
        self.values = np.asarray(values)

    def __array__(self, dtype=None, copy=None):
        return self.values if dtype is None else self.values.astype(dtype)


SET = (True, np.True_, 1, 1.0, np.int8(1), np.array(True), np.array([1]), [True], torch.tensor(True), ArrayLike(1))
SET_OF_EACH = ([True, True], (1, 1), np.ones(2), np.ones((2, 1), bool), torch.ones(2), ArrayLike([1, 1]))
UNSET = (False, np.False_, 0, 0.0, [False], [False, False], [True, False], np.array([0, 1]), torch.zeros(2))
NO_FLAGS = (
    *("False", "", b"1", None, np.nan, 2, -1, 0.5, 1j, [], [None, True], ["False", "True"], [True] * 3),
    *({"a": False, "b": False}, {0: 1}, {True}, np.array(["1"]), np.array([np.nan, 1]), object(), iter([True])),
    *([[True], [False, True]], np.ma.array([1, 1], mask=[0, 1]), range(3), {"__all__": True}),
)


@pytest.mark.parametrize("set_", [*SET, *SET_OF_EACH], ids=repr)
def test_flags_that_are_set(set_):
    assert ending(set_, False, 2) == (True, False)
    assert ending(False, set_, 2) == (False, True)


@pytest.mark.parametrize("unset", UNSET, ids=repr)
def test_flags_that_are_not_set_for_every_agent(unset):
    assert ending(unset, False, 2) == ending(False, unset, 2) == (False, False)


@pytest.mark.parametrize("other", NO_FLAGS, ids=repr)
def test_flags_that_are_none_are_refused(other):
    for name in ("terminated", "truncated"):
        expected = rf"^{name}: expected one flag or 2 \(True, False, 1 or 0\), got [^\n]*$"
        with pytest.raises(ValueError, match=expected):
            stepped(**{name: other})
    with pytest.raises(ValueError, match=r"^a: expected one flag "):
        flag(other, "a")


def test_an_episode_ends_when_each_agent_has_terminated_or_been_truncated():
    assert ending([True, False], [False, True], 2) == (False, True)
    assert ending([True, True], [False, True], 2) == (True, False)
    assert ending([True, False], True, 2) == (False, True)
    assert ending(True, [False, False], 2) == (True, False)
    assert ending([True, False], [True, False], 2) == (False, False)
    assert flags([True, False, 1], 3, "x") == [True, False, True]


def test_an_episode_with_flags_of_each_agent_is_as_long_as_with_one():
    lengths = []
    for end in (lambda t: t == 4, lambda t: [t == 4] * 2, lambda t: np.array([True, t == 4])):
        world = Told()
        env, steps, over = adapt(world), 0, False
        env.reset(0)
        while not over:
            world.told["terminated"] = end(steps + 1)
            step = env.step(ACTIONS)
            steps, over = steps + 1, step.terminated or step.truncated
        lengths.append((steps, step.terminated, step.truncated))
    assert lengths == [(4, True, False)] * 3


REWARDS = {
    3.5: (3.5, np.float32(3.5), np.array(3.5), np.array([3.5]), [3.5], torch.tensor(3.5), ArrayLike(3.5)),
    4.0: (
        [1, 3],
        (1.0, 3),
        np.array([1, 3]),
        np.array([[1.0], [3.0]]),
        torch.tensor([1.0, 3.0]),
        ArrayLike([1, 3]),
    ),
    1.0: (True, 1, np.int8(1), np.uint64(1)),
}
NO_REWARDS = (
    *(
        None,
        "1.5",
        b"1",
        1j,
        np.array(1j),
        [None, 1],
        ["1", "2"],
        {"a": 1, "b": 2},
        {1, 2},
        [1] * 3,
        [],
        [[1], [2, 3]],
    ),
    *(
        np.datetime64(1, "D"),
        object(),
        np.array([1, 2], object),
        np.ma.array([1, 2], mask=[0, 1]),
        10**400,
        iter([1]),
    ),
)


@pytest.mark.parametrize(("total", "reward"), [(t, r) for t, all_ in REWARDS.items() for r in all_], ids=repr)
def test_rewards(total, reward):
    step = stepped(reward=reward)
    assert (step.reward, type(step.reward)) == (total, float)


@pytest.mark.parametrize("other", NO_REWARDS, ids=lambda other: repr(other)[:40])
def test_rewards_that_are_no_numbers_are_refused(other):
    with pytest.raises(ValueError, match=r"^reward: expected one number or 2, got [^\n]{1,120}$"):
        stepped(reward=other)
    with pytest.raises(ValueError, match=r"^reward of agent a: expected one number, got "):
        rewards_of(other, 1, "reward of agent a")


@pytest.mark.parametrize("reward", [np.nan, np.inf, -1e39, 1e308, [1e38, 3e38], np.longdouble("1e400")])
def test_rewards_beyond_float32_are_refused(reward):
    with (
        np.errstate(over="ignore"),
        pytest.raises(EnvError, match=r"step 0: the reward is (nan|-?inf|-?1e\+\d+|4e\+38)$"),
    ):
        check_env(Told(reward=reward), episodes=1)


WON = (True, np.True_, 1, 1.0, [True, True], np.ones(2), torch.tensor(True))
LOST = (False, 0, 0.0, [True, False], np.zeros(2, bool))


@pytest.mark.parametrize("key", ["won", "battle_won", "is_success", "success"])
def test_wins(key):
    assert all(stepped(info={key: value}).won is True for value in WON)
    assert all(stepped(info={key: value}).won is False for value in LOST)
    assert stepped(info={key: None}).won is None
    for other in (other for other in NO_FLAGS if other is not None):
        with pytest.raises(ValueError, match=rf"^info\['{key}'\]: expected one flag or 2 "):
            stepped(info={key: other})


MASKS = ([[1, 0, 1], [1, 1, 1]], np.array([[1.0, 0, 1], [1, 1, 1]]), torch.tensor([[1, 0, 1], [1, 1, 1]]))
NO_MASKS = (
    *(
        [[1, 0, -1]] * 2,
        [[1, 0, 2]] * 2,
        [[1, 0, np.nan]] * 2,
        [["1", "0", "1"]] * 2,
        [[1, 0]] * 2,
        [[1, 0, 1]],
        "all",
    ),
    *(
        {"a": [1] * 3, "b": [1] * 3},
        {0: 1, 1: 1},
        None,
        1,
        [[None] * 3] * 2,
        [[1, 0, 0.5]] * 2,
        {1},
        iter([]),
        [1, 0, 1],
    ),
    *(np.ma.array([[1, 0, 1]] * 2, mask=[[0, 0, 1]] * 2), [np.ma.array([1, 0, 1], mask=[0, 0, 1])] * 2, [[]] * 2),
)


@pytest.mark.parametrize("mask", MASKS, ids=repr)
def test_masks(mask):
    step = stepped(first_info={"action_mask": mask}, info={"action_mask": mask})
    np.testing.assert_array_equal(step.point.avail, [[True, False, True], [True, True, True]])


@pytest.mark.parametrize("other", NO_MASKS, ids=repr)
def test_masks_of_something_else_are_refused(other):
    with pytest.raises(ValueError, match=r"^(expected |action mask|info holds no 'action_mask')[^\n]*$"):
        stepped(first_info={"action_mask": MASKS[0]}, info={"action_mask": other})


OBS = (np.zeros(2, np.float32),) * 2
STEPS = (
    *(
        (OBS, 1.0, False, {}),
        (OBS, 1.0, [False] * 2, {}),
        (OBS, 1.0, False),
        OBS,
        None,
        1.0,
        {},
        "stuff",
        iter(OBS),
    ),
    (OBS, 1.0, False, False, {}, {}),
)
RESETS = (OBS, (OBS, None), (OBS, []), OBS[0], {"a": 1}, None, (OBS, {}, {}), iter([OBS, {}]), [OBS, [{}, {}]])


@pytest.mark.parametrize("returned", STEPS, ids=repr)
def test_steps_of_another_form_are_refused(returned):
    expected = r"^expected step to return \(observations, reward, terminated, truncated, info\), got [^\n]*$"
    with pytest.raises(ValueError, match=expected) as caught:
        stepped(step=returned)
    assert ("before gym 0.26" in str(caught.value)) == (isinstance(returned, tuple) and len(returned) == 4)


@pytest.mark.parametrize("returned", RESETS, ids=repr)
def test_resets_of_another_form_are_refused(returned):
    expected = (
        r"its first reset raised ValueError: expected \(observations, info\), where info is a dictionary, got "
    )
    with pytest.raises(EnvError, match=expected):
        adapt(Told(reset=returned))


@pytest.mark.parametrize("info", [None, [], "info", [{}, {}]], ids=repr)
def test_an_info_that_is_no_dictionary_is_refused(info):
    with pytest.raises(ValueError, match=r"^info: expected a dictionary, got "):
        stepped(info=info)


SEEN = (
    list(OBS),
    np.zeros((2, 2), np.float32),
    np.zeros((2, 2), np.float32, "F"),
    np.zeros((4, 4), np.float32)[::2, ::2],
)
NOT_SEEN = (
    *(
        dict(enumerate(OBS)),
        {"a": OBS[0], "b": OBS[1]},
        set(),
        OBS[:1],
        OBS * 2,
        iter(OBS),
        None,
        1.0,
        "ab",
        OBS[0],
    ),
    *(np.zeros((2, 2)), [[0.0, 0.0]] * 2, torch.zeros(2, 2), [None, OBS[0]], [ArrayLike(OBS[0])] * 2),
    *(
        [np.zeros(2, np.dtype(">f4"))] * 2,
        [np.zeros((1, 2), np.float32)] * 2,
        [np.zeros(2, object)] * 2,
        [np.zeros(3, "f")] * 2,
    ),
    [np.ma.array(OBS[0], mask=[0, 1])] * 2,
)


@pytest.mark.parametrize("seen", SEEN, ids=lambda seen: f"{type(seen).__name__} {np.shape(seen)}")
def test_observations(seen):
    np.testing.assert_array_equal(stepped(seen=[seen]).point.obs, np.zeros((2, 2)))


@pytest.mark.parametrize("seen", NOT_SEEN, ids=lambda seen: repr(seen)[:40])
def test_observations_of_another_form_are_refused(seen):
    with pytest.raises(ValueError, match=r"^(expected |observation of agent \d: expected )[^\n]*$"):
        stepped(seen=[seen])


WIDE = ("int32", "int64", "uint32", "uint64")
HELD = (0, 1, 2**24 - 1, 2**24, 2**24 + 2, 2**31 - 128)
LOST_DIGITS = (2**24 + 1, 2**31 - 1, 2**53 + 1, 2**62 + 1, 2**63 - 1, 2**64 - 1)


@pytest.mark.parametrize("dtype", WIDE)
def test_integers_are_stored_exactly_or_refused(dtype):
    bounds = np.iinfo(dtype)
    space = spaces.Box(bounds.min, bounds.max, (2,), dtype)
    for value in (*HELD, *[-x for x in HELD]):
        if bounds.min <= value <= bounds.max:
            seen = np.array([0, value], dtype)
            assert int(stepped(space=space, seen=[[seen, seen]]).point.obs[1, 1]) == value
    for value in (*LOST_DIGITS, *[-x for x in LOST_DIGITS]):
        if bounds.min <= value <= bounds.max:
            seen = np.array([0, value], dtype)
            with pytest.raises(ValueError, match=f"^x: entry 1 is {value}, which float32 cannot hold exactly$"):
                exact(seen, "x")
    assert exact(np.array([bounds.min], dtype), "x") == float(bounds.min)


def test_floats_are_rounded_and_not_beyond_float32():
    space = spaces.Box(-np.inf, np.inf, (2,), np.float64)
    seen = np.array([0.1, -3.4e38])
    np.testing.assert_array_equal(stepped(space=space, seen=[[seen, seen]]).point.obs[0], seen.astype(np.float32))
    for value in (1e39, -1e39, 1e200):
        with pytest.raises(
            ValueError, match=r"^observation of agent 1: entry 1 is -?1e.*, beyond float32's range$"
        ):
            stepped(space=space, seen=[[seen, np.array([0.1, value])]])
    for value in (np.nan, np.inf):
        with pytest.raises(EnvError, match=f"obs of agent 0: entry 1 is {value}$"):
            check_env(Told(space, [[np.array([0.1, value])] * 2]), episodes=1)


def test_states_are_stored_exactly_or_refused():
    for state, said in ((2**24 + 1, "which float32"), (1e39, "beyond float32")):
        with pytest.raises(ValueError, match=f"^state: entry 1 is .*{said}"):
            stepped(first_info={"state": [0, 1]}, info={"state": [0, state]})
    for other in (None, "ab", {0: 1}, [0, None], [0], np.ma.array([0, 1], mask=[0, 1])):
        with pytest.raises(ValueError, match=r"^(state: expected |info holds no 'state')"):
            stepped(first_info={"state": [0, 1]}, info={"state": other})


PARTS = spaces.Dict(a=spaces.Discrete(3), b=spaces.Box(0, 255, (2, 2), np.uint8), c=spaces.MultiDiscrete([2, 3]))
GOOD = {"a": 1, "b": np.zeros((2, 2), np.uint8), "c": np.array([1, 2])}
BAD = (
    {"a": -1}, {"a": 3}, {"a": 1.0}, {"a": np.array([0, 1])}, {"a": None}, {"a": "1"},
    {"b": np.full((2, 2), 300)}, {"b": np.full((2, 2), 0.5)}, {"b": np.zeros(4, np.uint8)},
    {"b": np.full((2, 2), np.nan)}, {"b": np.full((2, 2), -1)}, {"b": np.full((2, 2), 1e300)},
    {"c": np.array([-1, 0])}, {"c": np.array([2, 0])}, {"c": np.array([[1, 2]])},
    {"b": np.ma.array(np.zeros((2, 2), np.uint8), mask=True)},
)  # fmt: skip


def test_parts_of_an_observation_do_not_wrap_around():
    encode = SpaceEncoder(PARTS, "x")
    assert encode(GOOD, "0").tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1]
    for part in BAD:
        with pytest.raises(ValueError, match=r"^observation of agent 0: expected one of Dict"):
            encode({**GOOD, **part}, "0")
    mixed = SpaceEncoder(spaces.Tuple([spaces.Box(-(2**62), 2**62, (1,), np.int64), BOX]), "x")
    with pytest.raises(ValueError, match="entry 0 is 9007199254740993, which float32 cannot hold exactly"):
        mixed((np.array([2**53 + 1]), np.zeros(2, np.float32)), "0")


@pytest.mark.parametrize(
    "other", [*(np.array(x) for x in ("a", None, 1j)), "12", None, {}, [1, "2"], iter([1]), []]
)
def test_vectors_of_something_else_are_refused(other):
    with pytest.raises(ValueError, match=r"^x: expected numbers, got "):
        as_vector(other, None, "x")


def test_pettingzoo_flags_and_infos():
    for name, k in (("terminations", 2), ("truncations", 3)):
        for other in (*NO_FLAGS, [True, False]):
            world = Dying()
            env = PettingZooEnv(world, episode_limit=9)
            env.reset(0)
            plain = world.step

            def step(actions, plain=plain, k=k, other=other):
                returned = list(plain(actions))
                returned[k] = {**returned[k], "a": other}
                return returned

            world.step = step
            with pytest.raises(ValueError, match=rf"^{name} of agent a: expected one flag \(True"):
                env.step(np.zeros(env.spec.n_agents, np.int64))


def test_smac_flags():
    world = Skirmish()
    env = SmacEnv(world)
    for terminated, over in ((False, False), ([False] * 3, False), ([True] * 3, True), (np.True_, True)):
        world.step = lambda actions, terminated=terminated: (1.0, terminated, {})
        env.reset(0)
        assert env.step(np.ones(3, np.int64)).terminated is over
    for told in ((1.0, "False", {}), (1.0, None, {}), (1.0, True, {"episode_limit": "no"}), (1.0, True, None)):
        world.step = lambda actions, told=told: told
        with pytest.raises(ValueError, match=r"^(terminated|info\['episode_limit'\]|info): expected "):
            env.step(np.ones(3, np.int64))


SIZES = {"n_agents": (0, 2.5, "3", None, -1, []), "n_actions": (5.5, None), "obs_shape": ((), (2, 0), "x", 2.5)}


def test_smac_sizes_are_whole_numbers():
    told = Skirmish().get_env_info()
    shapes = {"obs_shape": [np.int64(3)], "n_actions": np.int8(5), "episode_limit": np.int64(12), "n_agents": 3.0}
    world = Skirmish()
    world.get_env_info = lambda: {**told, **shapes}
    spec = SmacEnv(world).spec
    assert (spec.obs_dim, spec.n_actions, spec.episode_limit, spec.n_agents) == (3, 5, 12, 3)
    for key, others in SIZES.items():
        for other in others:
            world.get_env_info = lambda key=key, other=other: {**told, key: other}
            with pytest.raises(ConfigError, match=rf"^Skirmish: get_env_info\(\): {key}: expected a positive"):
                SmacEnv(world)


def test_pettingzoo_agents_are_known_by_name_in_any_order():
    class Reversed(Dying):
        def reset(self, seed=None, options=None):
            return turned(super().reset(seed))

        def step(self, actions):
            return turned(super().step(actions))

    def turned(returned):
        return tuple(dict(reversed(each.items())) for each in returned)

    one, other = PettingZooEnv(Dying(masks="info")), PettingZooEnv(Reversed(masks="info"))
    for env in (one, other):
        env.point = env.reset(3)
    np.testing.assert_array_equal(one.point.obs, other.point.obs)
    for _ in range(3):
        first, second = one.step(np.array([0, 1, 2])), other.step(np.array([0, 1, 2]))
        np.testing.assert_array_equal(first.point.obs, second.point.obs)
        np.testing.assert_array_equal(first.point.avail, second.point.avail)
        assert first[1:] == second[1:]
