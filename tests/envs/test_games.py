"""The two-step game and the matrix game."""

from functools import partial
from itertools import product

import numpy as np
import pytest
import torch
from python_games import PythonMatrix, PythonTwoStep

from pyqmix import Config, ConfigError, EpisodeRing
from pyqmix.base.seeding import Stream
from pyqmix.envs import MatrixGame, TwoStep, make_env
from pyqmix.learn.learner import Learner
from pyqmix.play.native import NativeRollout
from pyqmix.play.rollout import Rollout

PAYOFF_2B = ((0, 1), (1, 8))
WIDE = np.arange(64 * 11).reshape(64, 11) / 7  # masks of eight bytes, and of fewer actions than bits


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


GAMES = {
    "two_step": (TwoStep, PythonTwoStep),
    "matrix": (partial(MatrixGame, [[1, 2, 3], [4, 5, 6.5]]), partial(PythonMatrix, [[1, 2, 3], [4, 5, 6.5]])),
    "wide": (partial(MatrixGame, WIDE), partial(PythonMatrix, WIDE)),
}


@pytest.mark.parametrize(("native", "twin"), GAMES.values(), ids=GAMES)
def test_native_games_equal_their_twins_step_for_step(native, twin):
    native, twin, random = native(), twin(), np.random.default_rng(0)
    assert native.spec == twin.spec
    for episode in range(200):
        points, ended = [game.reset(episode) for game in (native, twin)], False
        while not ended:
            for one, other in zip(*points, strict=True):
                np.testing.assert_array_equal(one, other)
                assert one.dtype == other.dtype
            actions = np.array([random.choice(np.flatnonzero(mask)) for mask in points[0].avail])
            steps = [game.step(actions) for game in (native, twin)]
            assert steps[0][1:] == steps[1][1:]
            points, ended = [step.point for step in steps], steps[0].terminated


@pytest.mark.parametrize("epsilon", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("native", "twin"), GAMES.values(), ids=GAMES)
def test_native_episodes_of_games_are_those_of_python(native, twin, epsilon):
    env, config, rings, played = native(), Config(hidden_dim=8, embed_dim=4, hypernet_dim=8), [], []
    agent = Learner(env.spec, config).agent
    for make in (lambda ring: NativeRollout(env, agent, 3, Stream.ENVIRONMENT, ring, lanes=5), None):
        rings.append(EpisodeRing(env.spec, 80))
        make = make or (lambda ring: Rollout([twin(), twin()], agent, 3, Stream.ENVIRONMENT, ring))
        played.append(make(rings[-1]).play(0, 40, epsilon))
    np.testing.assert_array_equal(played[0].returns, played[1].returns)
    batches = [ring.sampler(0).sample(40) for ring in rings]
    for name, values in batches[0].tensors().items():
        assert torch.equal(values, getattr(batches[1], name)), name


def test_more_actions_than_a_native_mask_holds_are_refused():
    with pytest.raises(ConfigError, match=r"payoff: expected at most 64 actions of each agent, got \(65, 1\)"):
        MatrixGame(np.zeros((65, 1)))


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
        make_env("matrix", payoff=payoff)


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
        make_env(name, **option)


def test_unknown_env_is_answered_with_a_near_name():
    with pytest.raises(ConfigError, match=r"env: expected one of .*did you mean two_step\?"):
        make_env("twostep")
