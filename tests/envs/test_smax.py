"""Battles of SMAX: sizes, limits, errors, and the same bits at every SIMD level. Rules: test_smax_recorded.py."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from pyqmix import ConfigError, make_env
from pyqmix.envs import SmaxEnv
from pyqmix.envs.smax import MAPS

STOP = 4


def play(task, seed, steps=10_000, **options):
    """Play random available actions; return every number that is shown, and the last step."""
    env, random = SmaxEnv(task, **options), np.random.default_rng(seed)
    point, shown, number = env.reset(seed), [], 0
    while number < steps:
        shown += [point.obs.tobytes(), point.avail.tobytes(), point.state.tobytes()]
        actions = np.argmax(random.random(point.avail.shape) * point.avail, -1)
        step = env.step(actions)
        point, number = step.point, number + 1
        shown.append(np.float64(step.reward).tobytes())
        if step.terminated or step.truncated:
            break
    return hashlib.sha256(b"".join(shown)).hexdigest(), step, number


SIZES = {
    "3m": (3, 8, 75, 72),
    "2s3z": (5, 10, 127, 120),
    "3s5z": (8, 13, 205, 192),
    "27m_vs_30m": (27, 35, 738, 684),
}


@pytest.mark.parametrize(("task", "sizes"), SIZES.items())
def test_sizes_are_those_of_the_original(task, sizes):
    spec = SmaxEnv(task).spec
    assert (spec.n_agents, spec.n_actions, spec.obs_dim, spec.state_dim) == sizes
    assert spec.episode_limit == 101


@pytest.mark.parametrize("task", MAPS)
def test_an_episode_depends_on_its_seed_alone(task):
    first, other = (play(task, seed, steps=20)[0] for seed in (1, 2))
    assert first != other
    assert play(task, 1, steps=20)[0] == first


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "level", ["baseline", pytest.param("avx2", marks=SLOW), pytest.param("avx512", marks=SLOW)]
)
def test_every_simd_level_plays_the_same_bits(level, at_simd_level):
    program = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_smax import play\n"
        "print(*(play(task, 3)[0] for task in ('3s5z', '27m_vs_30m', 'smacv2_20_units')))"
    )
    expected = [play(task, 3)[0] for task in ("3s5z", "27m_vs_30m", "smacv2_20_units")]
    assert at_simd_level(level, program).split() == expected


def stop_until_the_end(**options):
    """Let nobody die; return the last step and the number of steps."""
    env = SmaxEnv("3m", **options)
    point, number = env.reset(0), 0
    while True:
        units = env.battle.units()
        units["health"][:] = 45.0
        env.battle.set_units(units)
        step = env.step(np.full(3, STOP))
        number += 1
        if step.terminated or step.truncated:
            return step, number
        point = step.point
        assert point.avail[:, STOP].all()


def test_the_limit_ends_an_episode_after_101_steps():
    step, number = stop_until_the_end()
    assert (step.terminated, step.truncated, number, step.won) == (True, False, 101, False)
    step, number = stop_until_the_end(truncate_at_limit=True, episode_limit=30)
    assert (step.terminated, step.truncated, number) == (False, True, 30)


def test_the_border_kills_and_the_dead_may_only_stop():
    env = SmaxEnv("3m")
    env.reset(0)
    for _ in range(8):
        step = env.step(np.array([3, STOP, STOP]))  # the first marine walks to the left
    units = env.battle.units()
    assert units["health"][0] == 0
    assert units["positions"][0, 0] == 0
    assert step.point.avail[0].tolist() == [a == STOP for a in range(8)]
    assert not step.point.obs[0].any()
    assert not step.point.state[:10].any()


def victory(**options):
    """Let three marines kill the last enemy, who has 9 of 45 health; return the step."""
    env = SmaxEnv("3m", **options)
    env.reset(0)
    units = env.battle.units()
    units["health"][3:] = [9, 0, 0]
    units["positions"][:4] = [[10, 10], [10, 12], [10, 14], [12, 10]]
    env.battle.set_units(units)
    return env.step(np.array([5, 5, 5]))


def test_a_victory_pays_one_and_is_told():
    step = victory()
    assert step.won
    assert step.terminated
    assert step.reward == pytest.approx(1 + 9 / 45 / 3)


def test_a_draw_is_no_victory():
    env = SmaxEnv("3m")
    env.reset(0)
    units = env.battle.units()
    units["health"][:] = [1, 0, 0, 1, 0, 0]
    units["positions"][0], units["positions"][3] = (10, 10), (12, 10)
    env.battle.set_units(units)
    step = env.step(np.array([5, STOP, STOP]))
    assert step.terminated
    assert not step.won
    assert step.reward == pytest.approx(1 / 45 / 3)


def test_random_maps_draw_types_and_mirror_them():
    env = SmaxEnv("smacv2_5_units")
    drawn = set()
    for seed in range(20):
        env.reset(seed)
        types = env.battle.units()["types"]
        assert types[:5].tolist() == types[5:].tolist()
        drawn |= set(types.tolist())
    assert drawn == set(range(6))


def test_batches_tell_victories():
    envs = make_env("smax", task="3m", num_envs=4, seed=0)
    _, infos = envs.reset()
    random = np.random.default_rng(0)
    ended = 0
    for _ in range(60):
        avail = infos["avail_actions"]
        *_, terminated, truncated, infos = envs.step(np.argmax(random.random(avail.shape) * avail, -1))
        over = terminated | truncated
        ended += int(over.sum())
        if over.any():
            assert infos["_battle_won"].tolist() == over.tolist()
            assert not infos["battle_won"][~over].any()
    assert ended > 0


def test_bad_input_is_named():
    with pytest.raises(ConfigError, match=r"^task: expected a map of SMAX \(3m, 8m, .*\), got '4m'"):
        SmaxEnv("4m")
    with pytest.raises(ConfigError, match=r"^episode_limit: expected an integer of at least 1"):
        SmaxEnv("3m", episode_limit=0)
    env = SmaxEnv("3m")
    with pytest.raises(RuntimeError, match="reset the environment before the first step"):
        env.step(np.zeros(3, np.int64))
    env.reset(0)
    with pytest.raises(ValueError, match=r"^actions: expected 0 to 7, got 8"):
        env.step(np.full(3, 8))
    units = env.battle.units()
    units["types"][0] = 6
    with pytest.raises(ValueError, match=r"^types: expected 0 to 5, got 6"):
        env.battle.set_units(units)
    with pytest.raises(ValueError, match=r"^units: expected an entry positions"):
        env.battle.set_units({})


ODD_UNITS = {
    "positions": (np.nan, r"^positions: expected -1000000.0* to 1000000.0*, got nan"),
    "health": (-3, r"^health: expected 0.0* to 45.0*, got -3.0*"),
    "cooldowns": (np.inf, r"^cooldowns: expected .*, got inf"),
    "actions": (8, r"^actions: expected 0 to 7, got 8"),
    "targets": (3, r"^targets: expected -1 to 2, got 3"),
}


@pytest.mark.parametrize("name", ODD_UNITS)
def test_units_that_no_battle_has_are_refused(name):
    env = SmaxEnv("3m")
    env.reset(0)
    units = env.battle.units()
    value, message = ODD_UNITS[name]
    units[name].flat[0] = value
    with pytest.raises(ValueError, match=message):
        env.battle.set_units(units)


def test_last_actions_follow_every_way_to_step():
    env = SmaxEnv("3m", last_action=True)
    env.reset(0)
    env.step(np.array([2, 2, 2]))
    env.battle.step_with((0, 1), np.array([3, 1, STOP]))
    codes = env.battle.observation()[:, -8:]
    assert codes.argmax(1).tolist() == [3, 1, STOP]
    env.battle.reset((0, 1))
    assert not env.battle.observation()[:, -8:].any()


def test_the_allied_heuristic_forgets_its_targets_with_the_battle():
    def first_actions(env):
        env.battle.start(5)
        return [env.battle.heuristic_actions((0, k)).tolist() for k in range(3)]

    env = SmaxEnv("3m")
    fresh = first_actions(env)
    for k in range(10):
        env.battle.step(env.battle.heuristic_actions((0, k)))
    assert first_actions(env) == fresh


@pytest.mark.parametrize("limit", [300_000_000, 2**31 - 1])
def test_the_scale_of_cooldowns_holds_at_any_limit(limit):
    scale = SmaxEnv("3m", episode_limit=limit, scale_inputs=True).spec.state_scale
    assert scale[3] == pytest.approx(2 / limit)


def test_a_victory_at_the_limit_is_no_truncation():
    step = victory(truncate_at_limit=True, episode_limit=1)
    assert (step.won, step.terminated, step.truncated) == (True, True, False)
