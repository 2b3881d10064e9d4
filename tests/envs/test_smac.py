"""The adapter for objects with SMAC's interface, tried on a small simulator."""

import sys
import types

import numpy as np
import pytest
from smac_envs import SeededSkirmish, Skirmish

from pyqmix import ConfigError, make_env
from pyqmix.envs import AdapterOptions, adapt
from pyqmix.envs.smac import SmacEnv

STOP, ATTACK = 1, 4


def play(env, wanted, seed=0):
    """Play an episode with one action where it is available, the first available one otherwise."""
    points, steps = [env.reset(seed)], []
    while not steps or not (steps[-1].terminated or steps[-1].truncated):
        avail = points[-1].avail
        steps.append(env.step(np.where(avail[:, wanted], wanted, avail.argmax(1))))
        points.append(steps[-1].point)
    return points, steps


def test_sizes_come_from_the_environments_info_without_a_reset():
    env = SmacEnv(Skirmish())
    spec = env.spec
    assert (spec.n_agents, spec.n_actions, spec.obs_dim, spec.state_dim, spec.episode_limit) == (3, 5, 3, 7, 12)
    assert not hasattr(env.env, "places")
    assert env.name == "Skirmish"


def test_observations_state_and_masks_are_those_of_the_simulator():
    env = SmacEnv(Skirmish())
    point = env.reset(0)
    np.testing.assert_array_equal(point.obs, np.stack(env.env.get_obs()))
    np.testing.assert_array_equal(point.state, env.env.get_state())
    np.testing.assert_array_equal(point.avail, env.env.get_avail_actions())
    assert (point.state.dtype, point.avail.dtype) == (np.float32, np.bool_)


def test_wins_are_counted():
    _, steps = play(SmacEnv(Skirmish()), ATTACK)
    assert (steps[-1].terminated, steps[-1].won) == (True, True)
    _, steps = play(SmacEnv(Skirmish(episode_limit=99)), STOP)
    assert (steps[-1].terminated, steps[-1].won) == (True, False)


@pytest.mark.parametrize("simulator", [Skirmish, SeededSkirmish])
@pytest.mark.parametrize(
    ("option", "expected"), [({}, (False, True)), ({"terminate_at_limit": True}, (True, False))]
)
def test_the_time_limit_is_truncation_unless_told_otherwise(simulator, option, expected):
    _, steps = play(SmacEnv(simulator(episode_limit=5), **option), STOP)
    assert (steps[-1].terminated, steps[-1].truncated, len(steps)) == (*expected, 5)
    assert steps[-1].won is False


def test_a_smaller_limit_truncates():
    _, steps = play(SmacEnv(Skirmish(), episode_limit=4), STOP)
    assert (len(steps), steps[-1].truncated) == (4, True)


def test_episodes_depend_on_their_seed_where_the_simulator_takes_one():
    env = SmacEnv(SeededSkirmish())
    one, other, again = (play(env, ATTACK, seed)[0] for seed in (1, 2, 1))
    np.testing.assert_array_equal(one[0].state, again[0].state)
    assert (one[0].state != other[0].state).any()
    assert env.notes == ()
    assert "it takes no seed" in SmacEnv(Skirmish()).notes[0]


def test_a_method_that_takes_the_seed():
    world = Skirmish()
    world.seed = lambda value: setattr(world, "random", np.random.default_rng(value))
    env = SmacEnv(world)
    assert env.notes == ()
    np.testing.assert_array_equal(env.reset(5).state, env.reset(5).state)


def test_rewards_of_agents_are_added_or_averaged():
    envs = [SmacEnv(SeededSkirmish(), team_reward=kind) for kind in ("sum", "mean")]
    added, averaged = (sum(step.reward for step in play(env, ATTACK)[1]) for env in envs)
    assert added == pytest.approx(3 * averaged)


def test_what_does_not_fit_is_named():
    world = Skirmish()
    world.get_env_info = lambda: {"n_agents": 3}
    with pytest.raises(ConfigError, match=r"get_env_info\(\) lacks 'n_actions': expected n_agents"):
        SmacEnv(world)
    world = Skirmish()
    world.get_obs = lambda: [np.zeros(4)] * 3
    with pytest.raises(ValueError, match="observation of agent 0: expected 3 numbers, got 4"):
        SmacEnv(world).reset(0)
    world = Skirmish()
    world.step = lambda actions: (0.0, True)
    env = SmacEnv(world)
    env.reset(0)
    with pytest.raises(ValueError, match=r"expected step to return \(reward, terminated, info\), got 2"):
        env.step(np.ones(3, np.int64))


def test_a_factory_of_a_module():
    env = make_env("smac", task="smac_envs:Skirmish", env_args={"n_agents": 2}, last_action=True)
    assert (env.name, env.spec.n_agents, env.spec.obs_dim) == ("smac_envs:Skirmish", 2, 8)
    env.close()
    assert env.env.env.closed
    assert isinstance(adapt(Skirmish(), AdapterOptions(), "mine"), SmacEnv)


def test_a_map_reaches_the_game(monkeypatch):
    for name in ("smac", "smac.env", "smac.env.starcraft2", "smac.env.starcraft2.starcraft2"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["smac.env.starcraft2.starcraft2"].StarCraft2Env = Skirmish
    env = make_env("smac", task="3m", env_args={"episode_limit": 60})
    assert (env.name, env.env.map_name, env.spec.episode_limit) == ("3m", "3m", 60)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (None, "--env smac needs --task: a map"),
        ("3m", r"the maps of SMAC need smac.*: pip install git\+https://github.com/oxwhirl/smac.git"),
        ("smacv2/10gen_terran", r"the maps of SMACv2 need smacv2.*smacv2.git, and the game"),
        ("smaclite/3m", r"the maps of SMAClite need smaclite: pip install .*smaclite.git"),
        ("other/3m", "expected a map, smacv2/MAP, smaclite/MAP or module:NAME, got 'other/3m'"),
        ("collections:OrderedDict", "expected 'collections:OrderedDict' to make an object with reset, step"),
        ("smac_envs:nothing", "smac_envs has no 'nothing'"),
    ],
)
def test_unknown_tasks(task, message):
    with pytest.raises(ConfigError, match=message):
        make_env("smac", task=task)
