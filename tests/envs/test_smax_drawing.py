import numpy as np
import pytest
from PIL import Image

from pyqmix import _C, train
from pyqmix.envs import make_env
from pyqmix.envs.smax.units import UNIT_TYPES
from pyqmix.run.recording import record_run

ALLY, ENEMY, HEALTH = (0, 114, 178), (213, 94, 0), (47, 158, 99)
CELL, LEFT, TOP = 28, 16, 64  # pixels
STOP, ATTACK = 4, 5


def battle(task="3m", **changes):
    """Return an environment whose units stand and act as given; the others stay where they start."""
    env = make_env("smax", task=task)
    env.reset(0)
    units = env.battle.units()
    for key, values in changes.items():
        for unit, value in values.items():
            units[key][unit] = value
    env.battle.set_units(units)
    return env


def count(picture, colour, x=(0, 32), y=(0, 32)):
    """Return how many pixels of a part of the map, in cells, have the colour."""
    rows = slice(round(TOP + (32 - y[1]) * CELL), round(TOP + (32 - y[0]) * CELL))
    part = picture[rows, round(LEFT + x[0] * CELL) : round(LEFT + x[1] * CELL)]
    return int((part == np.array(colour, np.uint8)).all(axis=2).sum())


@pytest.mark.parametrize("task", _C.smax_scenarios())
def test_every_map_is_drawn(task):
    picture = battle(task).render()
    assert (picture.shape, picture.dtype) == ((1000, 928, 3), np.uint8)
    assert min(count(picture, ALLY), count(picture, ENEMY)) > 500


def test_the_same_battle_gives_the_same_picture_and_a_step_another():
    env, twin = battle(), battle()
    first = env.render()
    np.testing.assert_array_equal(first, twin.render())
    env.step(np.array([0, STOP, STOP]))
    assert not np.array_equal(env.render(), first)


def test_units_stand_at_their_places_up_being_up():
    picture = battle(positions={0: (4.0, 28.0), 3: (28.0, 6.0)}).render()
    assert count(picture, ALLY, (3.5, 4.5), (27.5, 28.5)) > 100
    assert count(picture, ENEMY, (27.5, 28.5), (5.5, 6.5)) > 100


def test_the_dead_are_crossed_out():
    picture = battle(positions={0: (4.0, 28.0)}, health={0: 0.0}).render()
    assert count(picture, (148, 183, 204), (3.5, 4.5), (27.5, 28.5)) > 20
    assert count(picture, ALLY, (3, 5), (27, 29)) == count(picture, HEALTH, (3, 5), (27, 29)) == 0


def test_the_bar_is_as_long_as_the_health():
    full, third = (
        count(battle(positions={0: (4.0, 28.0)}, health={0: health}).render(), HEALTH, (3, 5), (27, 29))
        for health in (45.0, 15.0)
    )
    assert third / full == pytest.approx(1 / 3, abs=0.1)


PLACES = {0: (4.0, 20.0), 1: (4.0, 12.0), 2: (4.0, 4.0), 3: (8.0, 20.0), 4: (8.0, 12.0), 5: (8.0, 4.0)}


@pytest.mark.parametrize(
    ("attacker", "colour", "attack", "row"), [(0, ALLY, 0, 20.0), (2, ALLY, 2, 4.0), (3, ENEMY, 2, 20.0)]
)
def test_a_line_leads_to_the_target(attacker, colour, attack, row):
    picture = battle(positions=PLACES, actions={attacker: ATTACK + attack}).render()
    for y in (20.0, 12.0, 4.0):
        drawn = count(picture, colour, (5.5, 6.5), (y - 0.5, y + 0.5))
        assert (drawn > CELL / 2) == (y == row)


def test_attacks_of_the_dead_and_out_of_range_are_not_drawn():
    places = {**PLACES, 3: (12.0, 20.0)}
    for changes in ({"positions": places}, {"positions": PLACES, "health": {0: 0.0}}):
        picture = battle(actions={0: ATTACK}, **changes).render()
        assert count(picture, ALLY, (5.5, 6.5), (19.5, 20.5)) == 0


@pytest.mark.parametrize(
    ("dead", "colour"), [((3, 4, 5), ALLY), ((0, 1, 2), ENEMY), (range(6), (48, 52, 58)), ((), None)]
)
def test_the_end_is_told(dead, colour):
    picture = battle(health=dict.fromkeys(dead, 0.0)).render()
    banner = picture[TOP - 34 : TOP - 18, 928 // 2 - 100 : 928 // 2 - 60].reshape(-1, 3)
    assert np.unique(banner, axis=0).tolist() == [list(colour or (255, 255, 255))]


def test_unit_types_are_those_of_the_game():
    for number, kind in enumerate(UNIT_TYPES):
        places = dict(enumerate([(4.0, 16.0), (10.0, 4.0), (10.0, 28.0), (4.0, 16.0), (20.0, 4.0), (20.0, 28.0)]))
        for offset, reached in ((-0.01, True), (0.01, False)):
            places[3] = (4.0 + kind.attack_range + offset, 16.0)
            env = battle(positions=places, types={0: number}, health={0: kind.health})
            assert env.battle.avail()[0, ATTACK] == reached
        assert env.battle.observation()[0, 5 * 13] == 1.0  # health as a share
        env.battle.step_with((0, 0), np.array([3, STOP, STOP]))
        moved = 4.0 - env.battle.units()["positions"][0, 0]
        assert moved == pytest.approx(kind.velocity / 2, abs=1e-4)
        touching = {**places, 0: (16.0, 16.0), 1: (16.1, 16.0)}
        env = battle(positions=touching, types={0: number, 1: number}, health={0: 1, 1: 1})
        env.battle.step_with((0, 0), np.full(3, STOP))
        apart = env.battle.units()["positions"]
        assert apart[1, 0] - apart[0, 0] == pytest.approx(2 * kind.radius, abs=1e-3)


def test_a_run_is_recorded(tiny_config, tmp_path):
    config = tiny_config(
        env="smax", task="3m", episode_limit=2, total_steps=3, eval_episodes=1, run_dir=str(tmp_path / "run")
    )
    train(config, quiet=True)
    record_run(tmp_path / "run", tmp_path / "run.gif", seed=0)
    with Image.open(tmp_path / "run.gif") as gif:
        assert (gif.n_frames, gif.size) == (3 * 3, (1584, 1032))
        gif.seek(gif.n_frames - 1)
        last = np.asarray(gif.convert("RGB"))
    assert last[16 + TOP - 20, 16 + 928 // 2 - 80].tolist() == pytest.approx((48, 52, 58), abs=8)  # out of time
