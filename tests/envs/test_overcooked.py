"""The adapter for Overcooked-AI."""

import sys

import numpy as np
import pytest

from pyqmix import ConfigError, make_env

NORTH, SOUTH, EAST, WEST, STAY, INTERACT = range(6)


def test_the_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "overcooked_ai_py", None)
    monkeypatch.delitem(sys.modules, "overcooked_ai_py.mdp", raising=False)
    monkeypatch.delitem(sys.modules, "overcooked_ai_py.mdp.overcooked_mdp", raising=False)
    with pytest.raises(ConfigError, match=r"need overcooked_ai_py: pip install 'pyqmix-marl\[overcooked\]'"):
        make_env("overcooked", task="cramped_room")


def test_a_kitchen_is_played_to_its_horizon():
    pytest.importorskip("overcooked_ai_py")
    env = make_env("overcooked", episode_limit=50)
    spec = env.spec
    assert (env.name, spec.n_agents, spec.n_actions, spec.obs_dim) == ("cramped_room", 2, 6, 5 * 4 * 26)
    assert (spec.state_dim, spec.concat_state, spec.obs_storage) == (520, False, "uint8")
    point = env.reset(0)
    assert (point.obs[0] != point.obs[1]).any()
    np.testing.assert_array_equal(point.state, point.obs[0])
    random = np.random.default_rng(0)
    steps = [env.step(random.integers(6, size=2)) for _ in range(50)]
    assert [step.truncated for step in steps] == [False] * 49 + [True]
    assert steps[-1].point.obs.max() < 256
    np.testing.assert_array_equal(env.reset(1).obs, point.obs)
    assert make_env("overcooked").spec.episode_limit == 400


def test_subgoals_pay_where_that_is_asked_for():
    pytest.importorskip("overcooked_ai_py")
    for weight, expected in ((0.0, 0.0), (2.0, 6.0)):
        env = make_env("overcooked", env_args={"shaped_reward": weight})
        env.reset(0)
        # The first cook takes an onion from the left wall and puts it into the pot in the upper one.
        path = [NORTH, WEST, INTERACT, EAST, NORTH, INTERACT]
        rewards = [env.step(np.array([action, STAY])).reward for action in path]
        assert sum(rewards) == expected


def test_a_kitchen_is_drawn():
    pytest.importorskip("overcooked_ai_py")
    env = make_env("overcooked")
    env.reset(0)
    frame = env.render()
    assert frame.dtype == np.uint8
    assert frame.shape[2] == 3
    env.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": "no_such_room"}, "task: overcooked-ai cannot make 'no_such_room'"),
        ({"task": "cramped_room_single"}, "expected a layout for 2 players, got cramped_room_single for 1"),
        ({"env_args": {"shaped_reward": "much"}}, "shaped_reward: expected a finite number"),
    ],
)
def test_what_does_not_fit(options, message):
    pytest.importorskip("overcooked_ai_py")
    with pytest.raises(ConfigError, match=message):
        make_env("overcooked", **options)
