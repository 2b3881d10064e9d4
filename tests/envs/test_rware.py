"""The adapter for the robotic warehouse."""

import sys

import numpy as np
import pytest

from pyqmix import ConfigError, make_env

pytest.importorskip("rware")


def test_a_warehouse_is_played_to_its_max_steps():
    env = make_env("rware", task="rware-tiny-2ag-easy-v2", env_args={"max_steps": 6})
    spec = env.spec
    assert (spec.n_agents, spec.n_actions, spec.obs_dim, spec.concat_state, spec.episode_limit) == (
        2,
        5,
        71,
        True,
        6,
    )
    episodes = []
    for _ in range(2):
        seen = [env.reset(3).obs]
        steps = [env.step(np.array([k % 4, 1])) for k in range(6)]
        episodes.append(np.stack(seen + [step.point.obs for step in steps]))
        assert [step.terminated for step in steps] == [False] * 5 + [True]
    np.testing.assert_array_equal(*episodes)


def test_the_default_task_has_five_hundred_steps():
    env = make_env("rware", truncate_at_limit=True)
    assert (env.name, env.spec.episode_limit) == ("rware-tiny-2ag-v2", 500)


def test_the_limit_can_be_missing():
    with pytest.raises(ConfigError, match="has no step limit of its own: set episode_limit"):
        make_env("rware", env_args={"max_steps": None})
    assert make_env("rware", env_args={"max_steps": None}, episode_limit=9).spec.episode_limit == 9


def test_kinds_of_reward_and_observation_are_names():
    env = make_env("rware", env_args={"reward_type": "GLOBAL", "observation_type": "DICT"})
    assert env.reset(0).obs.shape == (2, 71)
    assert env.env.unwrapped.reward_type.name == "GLOBAL"
    with pytest.raises(ConfigError, match="reward_type: expected one of GLOBAL, INDIVIDUAL, TWO_STAGE"):
        make_env("rware", env_args={"reward_type": "ALL"})


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("rware-tiny-2ag-v3", "cannot make 'rware-tiny-2ag-v3'.*did you mean"),
        ("Foraging", "expected a task of rware"),
    ],
)
def test_unknown_tasks(task, message):
    with pytest.raises(ConfigError, match=message):
        make_env("rware", task=task)


def test_the_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "rware", None)
    with pytest.raises(ConfigError, match=r"the rware tasks need rware: pip install 'pyqmix-marl\[rware\]'"):
        make_env("rware")


def test_gymnasium_knows_the_tasks_too():
    assert make_env("gymnasium", task="rware-tiny-2ag-v2").spec.episode_limit == 500
