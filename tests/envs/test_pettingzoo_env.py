"""The adapter for PettingZoo."""

import sys

import numpy as np
import pytest

from pyqmix import ConfigError, EnvError, make_env
from pyqmix.base.errors import environment_traceback
from pyqmix.envs import check_env

pytest.importorskip("pettingzoo")

from gymnasium import spaces
from pettingzoo import AECEnv
from pettingzoo.utils import parallel_to_aec
from pettingzoo_envs import Dying

from pyqmix.envs.pettingzoo_env import PettingZooEnv, to_parallel

NOTHING = np.zeros(3, np.int64)


def play(env):
    """Play an episode and return its points and steps."""
    points, steps = [env.reset(0)], []
    while not steps or not (steps[-1].terminated or steps[-1].truncated):
        steps.append(env.step(points[-1].avail.argmax(1)))
        points.append(steps[-1].point)
    return points, steps


def test_an_agent_that_dies_is_masked_to_a_no_op_and_earns_nothing_more():
    env = PettingZooEnv(Dying(masks="info"))
    points, steps = play(env)
    assert env.env.acted == [["a", "b", "c"], ["a", "b", "c"], ["a", "c"], ["a", "c"]]
    assert [step.reward for step in steps] == [30, 30, 20, 20]
    for point in points[2:]:
        np.testing.assert_array_equal(
            point.avail, [[False, True, True], [True, False, False], [False, True, True]]
        )
        assert not point.obs[1].any()
    assert points[1].avail.all(0).tolist() == [False, True, True]
    assert points[-1].obs[[0, 2]].all(), "those that the time limit cut are seen once more"


def test_the_mean_reward_divides_by_all_agents():
    _, steps = play(PettingZooEnv(Dying(), team_reward="mean"))
    assert [step.reward for step in steps] == pytest.approx([10, 10, 20 / 3, 20 / 3])


@pytest.mark.parametrize(("all_die", "expected"), [(True, (True, False)), (False, (False, True))])
def test_the_last_agents_decide_how_an_episode_ends(all_die, expected):
    _, steps = play(PettingZooEnv(Dying(all_die=all_die)))
    assert (steps[-1].terminated, steps[-1].truncated, len(steps)) == (*expected, 4)


@pytest.mark.parametrize("masks", ["observation", "info"])
def test_masks_are_read_from_observations_and_infos(masks):
    env = PettingZooEnv(Dying(masks=masks))
    assert env.spec.obs_dim == 2
    assert env.reset(0).avail.tolist() == [[False, True, True]] * 3
    assert env.notes == ()


def test_the_state_is_the_environments_or_the_observations():
    env = PettingZooEnv(Dying())
    assert (env.spec.state_dim, env.spec.concat_state) == (2, False)
    points, _ = play(env)
    assert [point.state.tolist() for point in points] == [[k, 1] for k in range(5)]
    assert PettingZooEnv(Dying(has_state=False)).spec.concat_state


def test_the_limit_is_max_cycles_or_has_to_be_given():
    assert PettingZooEnv(Dying()).spec.episode_limit == 4
    with pytest.raises(ConfigError, match="dying_v0 has no step limit of its own: set episode_limit"):
        PettingZooEnv(Dying(max_cycles=None))
    _, steps = play(PettingZooEnv(Dying(), episode_limit=3, terminate_at_limit=True))
    assert (len(steps), steps[-1].terminated) == (3, True)


def test_an_aec_environment_is_converted():
    env = PettingZooEnv(to_parallel(parallel_to_aec(Dying(masks="observation")), "aec"), episode_limit=4)
    assert [step.reward for step in play(env)[1]] == [30, 30, 20, 20]


def test_an_aec_environment_whose_agents_take_turns():
    class Turns(AECEnv):
        metadata, possible_agents = {}, ["a"]

    with pytest.raises(ConfigError, match="turns: expected agents that act at the same time"):
        to_parallel(Turns(), "turns")


def test_continuous_actions():
    world = Dying()
    world.action_space = lambda agent: spaces.Box(0, 1, (2,), np.float32)
    with pytest.raises(ConfigError, match=r"expected a Discrete action space of agent a, got Box.*--env-args"):
        PettingZooEnv(world)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (None, "--env pettingzoo needs --task with a module"),
        ("mpe2.simple_spread_v4", "task: mpe2 has no 'simple_spread_v4'; did you mean simple_spread_v3"),
        ("no_such_module", "task: 'no_such_module' cannot be imported: No module named"),
        ("json", "task: expected 'json' to be a module with a parallel_env or an env"),
        ("json:no_such_name", "task: expected module:name, got 'json:no_such_name'"),
        ("collections:OrderedDict", "expected 'collections:OrderedDict' to make a PettingZoo environment"),
    ],
)
def test_unknown_tasks(task, message):
    pytest.importorskip("mpe2")
    with pytest.raises(ConfigError, match=message):
        make_env("pettingzoo", task=task)


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpe2", None)
    with pytest.raises(ConfigError, match=r"need mpe2: pip install 'pyqmix-marl\[pettingzoo\]'"):
        make_env("pettingzoo", task="mpe.simple_spread_v3")


def test_a_factory_of_a_module_gets_the_arguments():
    env = make_env("pettingzoo", task="pettingzoo_envs:Dying", env_args={"length": 2, "max_cycles": 7})
    assert env.spec.episode_limit == 7
    assert len(play(env)[1]) == 2
    env = make_env("pettingzoo", task="pettingzoo_envs:unlimited", env_args={"max_cycles": 3})
    assert env.spec.episode_limit == 3, "an argument tells the limit where no attribute does"
    with pytest.raises(ConfigError, match=r"env_args: 'pettingzoo_envs:Dying' does not take them: .*'size'"):
        make_env("pettingzoo", task="pettingzoo_envs:Dying", env_args={"size": 2})


@pytest.mark.parametrize(
    ("task", "sizes"),
    [
        ("mpe.simple_spread_v3", (3, 5, 18, 54, 25)),
        ("mpe2.simple_speaker_listener_v4", (2, 5, 11, 14, 25)),
        ("mpe2.simple_reference_v3", (2, 50, 21, 42, 25)),
    ],
)
def test_multi_agent_particles(task, sizes):
    pytest.importorskip("mpe2")
    env = make_env("pettingzoo", task=task)
    spec = env.spec
    assert (spec.n_agents, spec.n_actions, spec.obs_dim, spec.state_dim, spec.episode_limit) == sizes
    points, steps = play(env)
    again, steps_again = play(env)
    assert [step.reward for step in steps] == [step.reward for step in steps_again]
    for point, other in zip(points, again, strict=True):
        np.testing.assert_array_equal(point.obs, other.obs)
        np.testing.assert_array_equal(point.state, other.state)
    assert (len(steps), steps[-1].truncated) == (25, True)
    env.close()


def test_particles_can_be_drawn_and_refuse_to_be_continuous():
    pytest.importorskip("mpe2")
    task = "mpe2.simple_speaker_listener_v4"
    env = make_env("pettingzoo", task=task, env_args={"render_mode": "rgb_array"})
    env.reset(0)
    assert env.render().shape == (700, 700, 3)
    env.close()
    assert make_env("pettingzoo", task=task).render() is None
    with pytest.raises(ConfigError, match="Discrete action space of agent speaker_0, got Box"):
        make_env("pettingzoo", task=task, env_args={"continuous_actions": True})


def test_knights_die_before_the_archers():
    pytest.importorskip("pygame")
    env = make_env(
        "pettingzoo",
        task="butterfly.knights_archers_zombies_v11",
        env_args={"max_cycles": 60, "spawn_delay": 1, "line_death": True},
    )
    assert (env.spec.n_agents, env.spec.n_actions, env.spec.episode_limit) == (4, 6, 60)
    points, _ = play(env)
    assert all(point.avail.any(1).all() for point in points)
    assert np.isfinite([point.obs for point in points]).all()
    env.close()


class Careless(Dying):
    """Gives one thing of a step wrong."""

    def __init__(self, place, change):
        super().__init__()
        self.place, self.change = place, change

    def step(self, actions):
        outcome = super().step(actions)
        self.change(self if self.place is None else outcome[self.place])
        return outcome


@pytest.mark.parametrize(
    ("place", "change", "message"),
    [
        (
            0,
            lambda obs: obs.pop("c"),
            "observations: expected a dictionary with an entry for agent c, got entries",
        ),
        (1, lambda rewards: rewards.pop("a"), "rewards: expected a dictionary with an entry for agent a"),
        (1, lambda rewards: rewards.update(a=None), "reward of agent a: expected one number, got None"),
        (2, lambda ended: ended.clear(), "terminations: expected a dictionary with an entry for agent [abc], got"),
        (None, lambda env: env.agents.append("d"), "agents: expected some of a, b, c, got d too"),
    ],
)
def test_a_step_that_breaks_the_interface_is_named(place, change, message):
    env = PettingZooEnv(Careless(place, change))
    env.reset(0)
    with pytest.raises(ValueError, match=message):
        env.step(np.ones(3, np.int64))


def test_an_environment_needs_agents_and_a_reset_gives_two_things(monkeypatch):
    monkeypatch.setattr(Dying, "reset", lambda *_, **__: {"a": 1, "b": 2})
    with pytest.raises(
        EnvError, match=r"its first reset raised ValueError: expected \(observations, info\), .* got dict"
    ):
        PettingZooEnv(Dying())
    env = Dying()
    env.possible_agents = []
    with pytest.raises(ConfigError, match="expected possible_agents, got none"):
        PettingZooEnv(env)


def test_a_limit_that_truncates_shows_the_agents_for_the_bootstrap():
    last = play(PettingZooEnv(Dying(all_die=True, masks="info"), truncate_at_limit=True))[1][-1]
    assert (last.terminated, last.truncated) == (False, True)
    assert last.point.obs.tolist() == [[5, 5], [0, 0], [5, 5]], "b had died before"
    assert last.point.avail.tolist() == [[False, True, True], [True, False, False], [False, True, True]]


class Vanishing(Dying):
    """Agent "c" leaves in step 3 without a flag."""

    def step(self, actions):
        told = super().step(actions)
        self.agents = [agent for agent in self.agents if agent != "c" or self.steps < 3]
        return told


def test_an_agent_that_vanishes_is_told_of():
    with pytest.warns(UserWarning, match="c vanished from agents without a termination or a truncation"):
        check_env(Vanishing())


def test_an_environment_without_close_and_one_whose_close_fails():
    world = Dying()
    world.close = None
    PettingZooEnv(world).close()
    world.close = lambda: 1 / 0
    with pytest.raises(EnvError, match="environment dying_v0: close raised ZeroDivisionError"):
        PettingZooEnv(world).close()


class Spaceless(Dying):
    def observation_space(self, agent):
        raise ZeroDivisionError("no space")


def test_an_exception_while_spaces_are_read_has_the_environment_s_name():
    with pytest.raises(
        EnvError, match="environment dying_v0: reading its agents and spaces raised ZeroDiv"
    ) as caught:
        PettingZooEnv(Spaceless())
    assert "in observation_space" in environment_traceback(caught.value)
