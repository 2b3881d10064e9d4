"""Gymnasium environments that offer more than observations: masks, a state, unequal sizes, wins."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium_envs import Uneven

from pyqmix import ConfigError, EnvError
from pyqmix.envs import GymnasiumOptions
from pyqmix.envs.gymnasium_env import GymnasiumEnv, make_gymnasium_env

ACTIONS = np.array([2, 1])


@pytest.fixture
def registered():
    """Register Uneven with a limit of seven steps under RWARE's name."""
    gymnasium.register("Uneven-v0", lambda max_steps: Uneven(length=int(max_steps)), kwargs={"max_steps": 7})
    yield "Uneven-v0"
    gymnasium.registry.pop("Uneven-v0")


def made(world, **rules):
    return GymnasiumEnv(world, **{"episode_limit": 9, **rules})


def play(env):
    """Play an episode and return its points and its last step."""
    points, step = [env.reset(0)], None
    while step is None or not (step.terminated or step.truncated):
        step = env.step(ACTIONS)
        points.append(step.point)
    return points, step


def test_narrower_observations_are_padded_with_zeros():
    env = made(Uneven())
    assert (env.spec.obs_dim, env.spec.state_dim, env.spec.concat_state) == (3, 6, True)
    points, _ = play(env)
    np.testing.assert_array_equal(points[2].obs, [[2, 2, 0], [-2, -2, -2]])


def test_actions_are_masked_to_those_that_an_agent_has_and_shifted_to_its_numbers():
    env = made(Uneven())
    np.testing.assert_array_equal(env.reset(0).avail, [[True] * 3, [True, True, False]])
    env.step(ACTIONS)
    assert env.env.taken == [(7, 1)]


@pytest.mark.parametrize("offers", ["info", "method"])
def test_masks_and_state_of_the_environment_are_used(offers):
    env = made(Uneven(offers))
    assert (env.spec.state_dim, env.spec.concat_state, env.spec.state_storage) == (2, False, "int16")
    assert env.notes == ()
    points, _ = play(env)
    for steps, point in enumerate(points):
        np.testing.assert_array_equal(point.avail, [[True, False, steps % 2], [False, True, False]])
        np.testing.assert_array_equal(point.state, [steps, 7])
        assert point.state.dtype == np.float32


def test_a_mask_as_one_array_for_all_agents():
    world = Uneven()
    world._info = lambda: {"action_mask": np.array([[0, 1, 0], [1, 0, 0]])}
    np.testing.assert_array_equal(made(world).reset(0).avail, [[False, True, False], [True, False, False]])


def test_a_mask_in_the_observations():
    world = Uneven()
    world.observation_space = spaces.Tuple(
        [spaces.Dict({"obs": box, "action_mask": spaces.MultiBinary(3)}) for box in world.observation_space]
    )
    observe = world._observe
    world._observe = lambda: tuple({"obs": obs, "action_mask": np.array([1, 0, 0])} for obs in observe())
    env = made(world)
    assert env.spec.obs_dim == 3
    np.testing.assert_array_equal(env.reset(0).avail, [[True, False, False]] * 2)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ([[1, 1, 1]], "expected 2 action masks, got 1"),
        ([[1, 1, 1], [1]], "action mask of agent 1: expected 2 numbers that are 0 or 1"),
        ([[1, 1, 1], [0, -np.inf]], "action mask of agent 1: expected 2 numbers that are 0 or 1"),
        ([[1, 1, 1], "all"], "action mask of agent 1: expected numbers, got str"),
    ],
)
def test_a_mask_that_does_not_fit(mask, message):
    world = Uneven()
    world._info = lambda: {"action_mask": mask}
    with pytest.raises(ValueError, match=message):
        made(world).reset(0)


def test_a_mask_that_forbids_everything_is_left_as_it_is():
    world = Uneven()
    world._info = lambda: {"action_mask": [[0, 0, 0], [1, 1]]}
    assert not made(world).reset(0).avail[0].any()


def test_info_holds_a_thing_at_reset_and_at_every_step_or_never():
    env = made(Uneven())
    env.reset(0)
    env.env.offers = "info"
    with pytest.raises(ValueError, match="info holds 'avail_actions', which it did not hold after reset"):
        env.step(ACTIONS)
    env = made(Uneven("info"))
    env.reset(0)
    env.env.offers = ""
    with pytest.raises(ValueError, match="info holds no 'avail_actions', which it held after reset"):
        env.step(ACTIONS)


def test_a_state_that_changes_its_width():
    env = made(Uneven("info"))
    env.env._state = lambda: np.zeros(5)
    with pytest.raises(ValueError, match="state: expected 2 numbers, got 5"):
        env.reset(0)


def test_things_that_are_not_used_are_named():
    assert made(Uneven(extra={"score": 3, "is_success": False})).notes == (
        "info also holds 'score', which is not used",
    )
    assert "the global state is not used" in made(Uneven(extra={"state": {"x": 1}})).notes[0]
    world = Uneven()
    world.state, world.action_masks = np.zeros(3), lambda agent: None
    assert made(world).notes == (
        "its 'action_masks' is not a method without arguments, so it is not used",
        "its 'state' is not a method without arguments, so it is not used",
    )


@pytest.mark.parametrize("key", ["battle_won", "won", "is_success", "success"])
def test_wins_are_read_from_info(key):
    assert play(made(Uneven(wins=key)))[1].won is True
    assert play(made(Uneven()))[1].won is None
    assert play(made(Uneven(extra={key: [True, False]})))[1].won is False


@pytest.mark.parametrize(
    ("space", "value", "flat"),
    [
        (spaces.Discrete(3, start=-1), 1, [0, 0, 1]),
        (spaces.MultiBinary(2), np.array([1, 0], np.int8), [1, 0]),
        (spaces.Tuple([spaces.Discrete(2), spaces.Box(0, 9, (1,), np.float32)]), (1, np.array([4.0])), [0, 1, 4]),
        (spaces.Dict(a=spaces.Discrete(2), b=spaces.MultiBinary(1)), {"a": 0, "b": [1]}, [1, 0, 1]),
    ],
    ids=["discrete", "binary", "tuple", "dict"],
)
def test_other_spaces_are_flattened(space, value, flat):
    world = Uneven()
    world.observation_space = spaces.Tuple([space, space])
    world._observe = lambda: (value, value)
    np.testing.assert_array_equal(made(world).reset(0).obs, [flat, flat])
    world._observe = lambda: (value, None)
    with pytest.raises(ValueError, match="observation of agent 1: expected one of"):
        made(world).reset(0)


def test_one_hot_observations_need_one_byte():
    world = Uneven()
    world.observation_space = spaces.Tuple([spaces.Discrete(2)] * 2)
    world._observe = lambda: (0, 1)
    assert made(world).spec.obs_storage == "uint8"


def test_observations_without_a_fixed_width():
    world = Uneven()
    world.observation_space = spaces.Tuple([spaces.Sequence(spaces.Discrete(2))] * 2)
    with pytest.raises(ConfigError, match="Uneven, agent 0: expected observations of a fixed width"):
        made(world)


def test_scales_cover_padded_observations_and_need_the_bounds_of_a_state():
    assert made(Uneven(), scale_inputs=True).spec.obs_scale == (1 / 16, 1 / 16, 1 / 8)
    world = Uneven("info")
    with pytest.raises(ConfigError, match="scale_inputs: Uneven has a state without bounds"):
        made(world, scale_inputs=True)
    world.state_space = spaces.Box(0, 16, (2,), np.float32)
    assert made(world, scale_inputs=True).spec.state_scale == (1 / 16, 1 / 16)


@pytest.mark.parametrize(
    ("length", "options", "expected"),
    [
        (3, {}, (True, False)),
        (3, {"truncate_at_limit": True}, (False, True)),
        (2, {"truncate_at_limit": True}, (True, False)),
        (9, {}, (False, True)),
        (9, {"terminate_at_limit": True}, (True, False)),
    ],
)
def test_the_step_limit_means_one_or_the_other(length, options, expected):
    _, step = play(made(Uneven(length=length), episode_limit=3, **options))
    assert (step.terminated, step.truncated) == expected


def test_the_step_limit_cannot_mean_both():
    with pytest.raises(ConfigError, match="terminate_at_limit: expected it or truncate_at_limit"):
        GymnasiumOptions(truncate_at_limit=True, terminate_at_limit=True)


def test_max_steps_is_a_limit_of_its_own(registered):
    world = Uneven()
    world.max_steps = 6
    assert GymnasiumEnv(world).spec.episode_limit == 6
    assert GymnasiumEnv(gymnasium.wrappers.TimeLimit(Uneven(), 5)).spec.episode_limit == 5
    assert make_gymnasium_env(GymnasiumOptions(task=registered)).spec.episode_limit == 7
    options = GymnasiumOptions(task=registered, env_args={"max_steps": 8})
    assert make_gymnasium_env(options).spec.episode_limit == 8


def test_an_error_of_the_first_reset_names_the_environment_and_keeps_its_cause():
    world = Uneven()
    world._info = lambda: 1 / 0
    with pytest.raises(EnvError, match="environment Uneven: its first reset raised ZeroDivisionError") as caught:
        made(world)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_an_error_of_the_constructor_keeps_its_cause(registered):
    options = GymnasiumOptions(task=registered, env_args={"max_steps": "many"})
    with pytest.raises(EnvError, match="environment Uneven-v0: its constructor raised ValueError") as caught:
        make_gymnasium_env(options)
    assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(ConfigError, match=r"env_args: 'Uneven-v0' does not take them: .*'size'"):
        make_gymnasium_env(GymnasiumOptions(task=registered, env_args={"size": 3}))


def test_a_limit_that_truncates_needs_the_mask():
    world = Uneven(offers="info")
    world._info = lambda: {"avail_actions": world._masks()} if world.steps < world.length else {}
    for length, rules in ((2, {}), (3, {"episode_limit": 4, "truncate_at_limit": True})):
        world.length = length
        assert play(made(world, **rules))[1].terminated
    with pytest.raises(ValueError, match="info holds no 'avail_actions'"):
        play(made(world, episode_limit=3, truncate_at_limit=True))
