"""The two-step game and the matrix game."""

from itertools import product

import numpy as np
import pytest

from pyqmix import ConfigError
from pyqmix.envs import EnvOptions, make_env
from pyqmix.envs.games import MatrixGame, TwoStep

PAYOFF_2B = ((0, 1), (1, 8))


def joint(*actions):
    return np.array(actions, np.int64)


@pytest.mark.parametrize(("first", "other", "a", "b"), [*product((0, 1), repeat=4)])
def test_two_step_pays_as_published(first, other, a, b):
    game = TwoStep()
    game.reset(seed=0)
    branch = game.step(joint(first, other))
    end = game.step(joint(a, b))
    assert (branch.reward, branch.terminated, branch.truncated) == (0, False, False)
    assert (end.reward, end.terminated, end.truncated) == (PAYOFF_2B[a][b] if first else 7, True, False)


@pytest.mark.parametrize("first", [0, 1])
def test_two_step_shows_the_state_as_one_hot_vector(first):
    game = TwoStep()
    points = [game.reset(seed=0), game.step(joint(first, 0)).point, game.step(joint(0, 0)).point]
    for point, expected in zip(points, [np.eye(3)[0], np.eye(3)[1 + first], np.zeros(3)], strict=True):
        np.testing.assert_array_equal(point.state, expected)
        np.testing.assert_array_equal(point.obs, [expected, expected])
        assert point.obs.dtype == point.state.dtype == np.float32
        assert point.avail.all()


def test_two_step_starts_anew_in_mid_episode():
    game = TwoStep()
    game.reset(seed=0)
    game.step(joint(1, 0))
    assert game.reset(seed=1).state[0] == 1


def test_matrix_looks_the_payoff_up():
    payoff = np.arange(2 * 3 * 4).reshape(2, 3, 4) - 7.5
    game = MatrixGame(payoff.tolist())
    assert (game.spec.n_agents, game.spec.n_actions, game.spec.episode_limit) == (3, 4, 1)
    for actions in np.ndindex(payoff.shape):
        assert game.reset(seed=0).state == 1
        step = game.step(joint(*actions))
        assert (step.reward, step.terminated, step.truncated) == (payoff[actions], True, False)


def test_matrix_masks_surplus_actions():
    point = MatrixGame([[1, 2, 3], [4, 5, 6]]).reset(seed=0)
    np.testing.assert_array_equal(point.avail, [[True, True, False], [True, True, True]])


@pytest.mark.parametrize(
    "payoff",
    [
        None,
        3,
        "x",
        [],
        [[]],
        [[1, 2], [3]],
        [[1, None]],
        [1.0, float("nan")],
        [float("inf")],
        [["1"]],
        [True],
        {"a": 1},
        [1j],
    ],
)
def test_matrix_refuses_a_bad_payoff(payoff):
    with pytest.raises(ConfigError, match="payoff"):
        make_env("matrix", options=EnvOptions(payoff=payoff))


@pytest.mark.parametrize("name", ["two_step", "matrix"])
def test_games_have_no_tasks(name):
    with pytest.raises(ConfigError, match=f"task: {name} has no such option, got 'x'"):
        make_env(name, task="x")


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("two_step", {"episode_limit": 5}),
        ("lbf", {"payoff": [[1, 2], [3, 4]]}),
        ("matrix", {"action_mask": False}),
    ],
)
def test_an_option_that_the_environment_lacks_is_refused(name, option):
    with pytest.raises(ConfigError, match=f"{next(iter(option))}: {name} has no such option"):
        make_env(name, options=EnvOptions(**option))


def test_unknown_env_is_answered_with_a_near_name():
    with pytest.raises(ConfigError, match=r"env: expected one of .*did you mean two_step\?"):
        make_env("twostep")
