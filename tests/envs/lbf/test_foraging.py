"""Native Level-Based Foraging is ``lbforaging`` 2.0.0, bit for bit."""

import re
from collections import Counter

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lbf_differential import EVENTS, Corrected, compare, compare_configuration, random_options
from lbforaging import register_grid_envs
from lbforaging.foraging.environment import ForagingEnv as Original

from pyqmix import ConfigError
from pyqmix.envs import ForagingEnv
from pyqmix.envs.lbf.rules import rules_of, task_options

TASK = task_options("Foraging-8x8-2p-3f-v3")
COOP_IND_PEN = {"force_coop": True, "max_food_level": 1, "penalty": 0.1}
REGISTERED = sorted(name for name in gymnasium.registry if name.startswith("Foraging"))


@pytest.mark.parametrize("part", range(8))
def test_random_configurations_equal_the_original(part):
    counts = Counter()
    for k in range(8):
        counts += compare_configuration((1_000 + 8 * part + k, 800))
    events = {name: counts.pop(name, 0) for name in EVENTS}
    assert counts == {}
    assert min(events.values()) > 50


@pytest.mark.parametrize(
    "task",
    ["Foraging-8x8-2p-3f-v3", "Foraging-2s-10x10-3p-3f-coop-v3", "Foraging-15x15-4p-4f-v3"],
)
def test_registered_tasks_equal_the_uncorrected_original(task):
    native, original = ForagingEnv.of_task(task), Original(**gymnasium.registry[task].kwargs)
    random = np.random.default_rng(0)
    for episode in range(20):
        seed = None if episode % 3 else episode
        shown = [(native.reset(seed=seed)[0], original.reset(seed=seed)[0])]
        done = False
        while not done:
            actions = random.integers(6, size=native.n_agents).tolist()
            (ours, rewards, done, *_), (theirs, expected, ended, *_) = native.step(actions), original.step(actions)
            shown.append((ours, theirs))
            assert (rewards, done) == ([float(r) for r in expected], ended)
        for pair in shown:
            np.testing.assert_array_equal(*map(np.stack, pair))


def test_a_difference_is_seen(monkeypatch):
    options = random_options(np.random.default_rng(3)) | {"penalty": 0.1, "force_coop": True}
    assert not set(compare(options, seed=0, steps=300)) - set(EVENTS)
    monkeypatch.setattr("lbf_differential.Corrected", lambda **o: Corrected(**o | {"penalty": 0.2}))
    assert set(compare(options, seed=0, steps=300)) - set(EVENTS) == {"reward"}


@pytest.mark.slow
def test_tasks_are_the_registered_ones():
    register_grid_envs()
    grids = [name for name in gymnasium.registry if name.startswith("Foraging-grid")]
    try:
        for name in np.random.default_rng(0).choice([*REGISTERED, *grids], 1_500, replace=False):
            registered = gymnasium.registry[name].kwargs
            assert task_options(name) == {"penalty": 0.0, **registered}
    finally:
        for name in grids:
            gymnasium.registry.pop(name)


def test_every_registered_task_can_be_played():
    for name in REGISTERED:
        rules_of(name, {})


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("Foraging-15x15-4p-5f-v3", {"players": 4, "field_size": (15, 15), "max_num_food": 5, "sight": 15}),
        ("Foraging-5x9-2p-3f-v3", {"field_size": (5, 9), "sight": 9}),
        ("Foraging-8x8-2p-3f-ind-v3", {"max_food_level": 1}),
        ("Foraging-8x8-2p-3f-pen-v3", {"penalty": 0.1}),
        ("Foraging-3s-8x8-2p-3f-coop-ind-pen-v3", {**COOP_IND_PEN, "sight": 3}),
        ("Foraging-grid-8x8-2p-3f-v3", {"grid_observation": True}),
        ("Foraging-grid-2s-8x8-2p-3f-coop-v3", {"grid_observation": True, "sight": 2, "force_coop": True}),
    ],
)
def test_tasks_that_the_original_does_not_register(name, changed):
    assert task_options(name) == {**TASK, **changed}
    obs, _ = ForagingEnv.of_task(name).reset(seed=0)
    assert len(obs) == task_options(name)["players"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Foraging-8x8-2p-3f-v2", r"did you mean Foraging-8x8-2p-3f-v3"),
        ("Forging-8x8-2p-3f-v3", r"did you mean Foraging-8x8-2p-3f-v3"),
        ("Foraging-8x8-2p-3f-pen-coop-v3", r"expected Foraging\[-grid\]\[-Ks\]-RxC-Np-Mf"),
        ("Foraging-8x8-2p-3f-v3 ", r"expected Foraging"),
        ("Foraging-2s-grid-8x8-2p-3f-v3", r"expected Foraging"),
        ("chess", r"got 'chess'$"),
        ("", r"got ''$"),
        ("Foraging-2x8-2p-1f-v3", "field_size: expected 3 to 1000, got 2"),
        ("Foraging-8x1001-2p-1f-v3", "field_size: expected 3 to 1000, got 1001"),
        ("Foraging--8x8-2p-1f-v3", "expected Foraging"),
        ("Foraging-8x8-0p-1f-v3", "players: expected 1 to 1000, got 0"),
        ("Foraging-8x8-2p-0f-v3", "max_num_food: expected 1 to 1000000, got 0"),
        ("Foraging-0s-8x8-2p-1f-v3", "sight: expected 1 to 1000, got 0"),
        ("Foraging-99999999999999999999x8-2p-1f-v3", "expected Foraging"),
        ("Foraging-999999999x8-2p-1f-v3", "field_size: expected 3 to 1000, got 999999999"),
        ("Foraging-8x8-2p-999999999f-v3", "max_num_food: expected 1 to 1000000, got 999999999"),
        ("Foraging-4x3-12p-1f-v3", "4x3 = 12 cells cannot hold 12 players and 1 food"),
        ("Foraging-grid-1000x1000-200p-1f-v3", "players: 200 that see 12012003 numbers each are more than"),
    ],
)
def test_bad_tasks(name, message):
    with pytest.raises(ConfigError, match=message):
        rules_of(name, {})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"players": 0}, "players: expected a positive integer, got 0"),
        ({"players": 2.0}, r"players: expected an integer, got 2\.0"),
        ({"players": True}, "players: expected an integer, got True"),
        ({"field_size": 8}, "field_size: expected rows and columns, got 8"),
        ({"field_size": (8,)}, "field_size: expected 2 integers, got 1"),
        ({"sight": -1}, "sight: expected 0 to 1000, got -1"),
        ({"sight": 0, "grid_observation": True}, "sight: expected 1 to 1000, got 0"),
        ({"sight": 2**40}, "sight: expected a smaller integer"),
        ({"max_episode_steps": 0}, "max_episode_steps: expected 1 to"),
        ({"min_player_level": [1]}, "min_player_level: expected 2 integers, got 1"),
        ({"min_player_level": 3}, "min_player_level: expected at most max_player_level, 2, got 3"),
        ({"max_player_level": [2, -1]}, "max_player_level: expected 0 to 1000000, got -1"),
        ({"min_food_level": 3, "max_food_level": [3, 2, 3]}, "min_food_level: expected at most max_food_level, 2"),
        ({"min_food_level": 3}, "min_food_level: expected at most 2, the lowest levels of three players added"),
        ({"max_num_food": -1}, "max_num_food: expected a positive integer, got -1"),
        ({"penalty": float("nan")}, "penalty: expected a number from -1e9 to 1e9, got nan"),
        ({"penalty": 1e300}, r"penalty: expected a number from -1e9 to 1e9, got 1e\+300"),
        ({"penalty": 10**400}, "penalty: expected a number"),
        ({"penalty": "much"}, "penalty: expected a number, got 'much'"),
        ({"force_coop": 1}, "force_coop: expected true or false, got 1"),
        ({"render_mode": "human"}, "render_mode: expected None or rgb_array, got 'human'"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ConfigError, match=message):
        ForagingEnv(**{**TASK, **options})


def test_numbers_of_numpy_are_numbers():
    env = ForagingEnv(**{**TASK, "players": np.int64(2), "min_player_level": np.array([1, 2])})
    assert env.rules.min_player_level == [1, 2]


def test_a_player_without_a_cell_is_named():
    """On a nearly full board a thousand attempts may not find the last free cell."""
    with pytest.raises(RuntimeError, match=r"player \d+ found no free cell in 1000 attempts"):
        for seed in range(50):
            ForagingEnv.of_task("Foraging-7x143-1000p-1f-v3").reset(seed=seed)


def test_spaces_hold_what_is_seen():
    for k in range(40):
        options = random_options(np.random.default_rng(k))
        env = ForagingEnv(**options)
        for obs in (env.reset(seed=k)[0], env.step([0] * env.n_agents)[0]):
            assert obs in env.observation_space
        assert env.action_space.sample() in env.action_space


def test_actions_must_be_among_the_six():
    env = ForagingEnv(**TASK)
    with pytest.raises(RuntimeError, match="reset the environment"):
        env.step([0, 0])
    env.reset(seed=0)
    for actions, message in (
        ([0, 6], "expected 0 to 5, got 6"),
        ([-1, 0], "expected 0 to 5, got -1"),
        ([0], r"expected \(2,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            env.step(actions)


def test_seeds():
    env = ForagingEnv(**TASK)
    for seed in (-1, 2**64):
        with pytest.raises(ValueError, match="seed: expected an integer from 0 to"):
            env.reset(seed=seed)
    first = [np.stack(env.reset()[0]) for env in (ForagingEnv(**TASK), ForagingEnv(**TASK))]
    assert not np.array_equal(*first)  # from the system's entropy


def test_state_is_everything_whatever_is_seen():
    env = ForagingEnv(**{**TASK, "sight": 1})
    whole = ForagingEnv(**TASK)
    env.reset(seed=4)
    (first, _), _ = whole.reset(seed=4)
    np.testing.assert_array_equal(env.state(), first)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="Foraging-x0123456789pfscodnv", max_size=40))
def test_any_text_is_a_task_or_a_clear_error(text):
    try:
        options = task_options(text)
    except ConfigError as error:
        assert str(error).startswith("task: ")  # noqa: PT017
    else:
        assert re.fullmatch(r"Foraging(-grid)?(-\d+s)?-\d+x\d+-\d+p-\d+f(-coop)?(-ind)?(-pen)?-v3", text)
        assert options["players"] >= 1


def test_render_shows_what_changes():
    env = ForagingEnv(**TASK, render_mode="rgb_array")
    env.reset(seed=0)
    first = env.render()
    assert first.dtype == np.uint8
    assert min(first.shape[:2]) >= 480  # readable on a slide
    again = env.render()
    np.testing.assert_array_equal(first, again)
    env.step([1, 2])
    assert not np.array_equal(env.render(), first)
