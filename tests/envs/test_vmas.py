"""VMAS: worlds that step together play the episodes that each plays alone."""

import sys

import numpy as np
import pytest
import torch

from pyqmix import Config, ConfigError, EpisodeRing, make_env
from pyqmix.base.seeding import Stream
from pyqmix.envs.last_action import LastActionEnv
from pyqmix.envs.vmas import VmasOptions, VmasWorlds
from pyqmix.envs.worlds import WorldEnv
from pyqmix.learn.learner import Learner
from pyqmix.play.create import create_rollout

pytest.importorskip("vmas")


def played(num_envs, epsilon=0.5, episodes=8, **options):
    """Play short episodes and return them: results, and a batch of what the ring holds."""
    config = Config(env="vmas", episode_limit=9, hidden_dim=8, agent="gru", **options)
    spec = config.create_env().spec
    ring = EpisodeRing(spec, episodes)
    rollout = create_rollout(config, Learner(spec, config).agent, 0, Stream.ENVIRONMENT, num_envs, ring)
    result = rollout.play(3, episodes, epsilon)
    batch = ring.sampler(0).sample(episodes).tensors()
    order = batch["obs"][:, 0].flatten(1).sum(1).argsort()
    content = {name: tensor[order].tolist() for name, tensor in batch.items()}
    return result.returns.tolist(), result.lengths.tolist(), content


@pytest.mark.parametrize("task", ["balance", "navigation"])
def test_episode_k_does_not_depend_on_the_number_of_worlds(task):
    expected = played(1, task=task, last_action=task == "balance")
    for num_envs in (3, 33):
        assert played(num_envs, task=task, last_action=task == "balance") == expected
    assert len(set(expected[0])) == 8


def test_scenarios_that_draw_in_their_steps_are_stepped_alone():
    """Discovery puts a target elsewhere when it has been covered."""
    arguments = {"n_targets": 20, "agents_per_target": 1, "targets_respawn": True}
    options = {"task": "discovery", "env_args": arguments, "episodes": 3}
    assert played(1, **options) == played(2, **options)


class Noise:
    """The scenario balance, whose observations hold noise."""

    def __init__(self, observe):
        self.observe = observe

    def __call__(self, agent):
        return self.observe(agent) + torch.randn(1)


def test_undeclared_draws_in_steps_are_refused():
    worlds = VmasWorlds(VmasOptions(), 2)
    scenario = worlds._env.scenario
    scenario.observation = Noise(scenario.observation)
    worlds.reset([0], [1])
    with pytest.raises(ValueError, match=r"this scenario draws random numbers in its steps.*--no-batched"):
        worlds.step([0], np.zeros((1, 3), np.int64))


def test_the_caller_s_random_numbers_are_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(3).tolist()
    torch.manual_seed(5)
    worlds = VmasWorlds(VmasOptions(task="transport"), 2)
    worlds.reset([0, 1], [1, 2**62])
    worlds.step([0, 1], np.zeros((2, 4), np.int64))
    assert torch.rand(3).tolist() == expected


def test_other_worlds_are_untouched_by_a_reset():
    worlds = VmasWorlds(VmasOptions(task="wheel"), 2)
    first, second = worlds.reset([0, 1], [7, 8])
    (again,) = worlds.reset([1], [7])
    assert again.obs.tolist() == first.obs.tolist() != second.obs.tolist()
    steps = worlds.step([0, 1], np.ones((2, 4), np.int64))
    assert steps[0].point.obs.tolist() == steps[1].point.obs.tolist()


def test_agents_of_several_kinds_are_padded_and_masked():
    env = make_env("vmas", task="simple_speaker_listener")
    point = env.reset(0)
    assert (env.spec.n_agents, env.spec.obs_dim) == point.obs.shape
    speaker, listener = point.avail.sum(1).tolist()
    assert {speaker, listener} == {env.spec.n_actions, min(speaker, listener)}
    assert speaker != listener
    assert (point.obs == 0).all(0).sum() < (point.obs == 0).any(0).sum()


@pytest.mark.parametrize(
    ("options", "ending"),
    [({}, (False, True)), ({"terminate_at_limit": True}, (True, False))],
)
def test_the_step_limit(options, ending):
    env = make_env("vmas", task="navigation", episode_limit=3, **options)
    env.reset(0)
    steps = [env.step(np.zeros(4, np.int64)) for _ in range(3)]
    assert [(step.terminated, step.truncated) for step in steps] == [(False, False)] * 2 + [ending]
    assert make_env("vmas").spec.episode_limit == 100
    limited = make_env("vmas", env_args={"max_steps": 1})
    limited.reset(0)
    step = limited.step(np.zeros(limited.spec.n_agents, np.int64))
    assert (step.terminated, step.truncated) == (False, True), "a time limit does not end the task"


def test_the_team_s_reward_is_the_sum_or_the_mean():
    rewards = []
    for reward in ("sum", "mean"):
        env = make_env("vmas", task="balance", team_reward=reward)
        env.reset(3)
        rewards.append(env.step(np.ones(3, np.int64)).reward)
    assert rewards[0] == pytest.approx(3 * rewards[1])
    assert rewards[0] != 0


def test_env_args_are_the_scenario_s(capsys):
    env = make_env("vmas", task="balance", env_args={"n_agents": 5}, last_action=True)
    assert isinstance(env, LastActionEnv)
    assert isinstance(env.env, WorldEnv)
    assert env.spec.n_agents == 5
    with pytest.raises(
        ConfigError, match=r"env_args: balance: Scenario kwargs: \{'n_agent': 5\} passed but not used"
    ):
        make_env("vmas", env_args={"n_agent": 5})
    with pytest.raises(ConfigError, match=r"task: expected one of .*, got 'balanc'; did you mean balance"):
        make_env("vmas", task="balanc")
    with pytest.raises(ConfigError, match="scale_inputs: balance has observations without bounds"):
        make_env("vmas", scale_inputs=True)
    assert capsys.readouterr().err == ""


def test_without_vmas_one_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "vmas", None)
    with pytest.raises(ConfigError, match=r"the scenarios of VMAS need vmas: pip install 'pyqmix-marl\[vmas\]'"):
        make_env("vmas")
