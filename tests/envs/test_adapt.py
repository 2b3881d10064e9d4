"""Whatever a user's factory returns, behind the trainer's protocol."""

import numpy as np
import pytest
from gymnasium_envs import Uneven
from python_games import PythonMatrix

from pyqmix import ConfigError, EnvError
from pyqmix.base.errors import environment_traceback
from pyqmix.envs import AdapterOptions, adapt
from pyqmix.envs.adapting import user_family
from pyqmix.envs.gymnasium_env import GymnasiumEnv

LIMITED = AdapterOptions(episode_limit=5, team_reward="mean")


def test_an_env_of_the_protocol_stays_as_it_is():
    env = PythonMatrix([[1, 2], [3, 4]])
    assert adapt(env) is env
    assert adapt(env, AdapterOptions(last_action=True)) is env, "who makes it adds the last action"


def test_an_env_of_the_protocol_decides_its_rules_itself():
    with pytest.raises(ConfigError, match=r"episode_limit: matrix .* decides this itself"):
        adapt(PythonMatrix([[1]]), LIMITED)


def test_a_gymnasium_environment():
    env = adapt(Uneven(), LIMITED, "mine")
    assert isinstance(env, GymnasiumEnv)
    assert (env.name, env.spec.episode_limit) == ("mine", 5)
    env.reset(0)
    assert env.step(np.array([0, 0])).reward == 2


@pytest.mark.parametrize("aec", [False, True])
def test_a_pettingzoo_environment(aec):
    pytest.importorskip("pettingzoo")
    from pettingzoo.utils import parallel_to_aec
    from pettingzoo_envs import Dying

    env = adapt(parallel_to_aec(Dying()) if aec else Dying(), LIMITED, "mine")
    assert (env.name, env.spec.n_agents, env.spec.episode_limit) == ("mine", 3, 5)


@pytest.mark.parametrize(("made", "got"), [(3, "int"), (Uneven, "the class Uneven itself"), (None, "NoneType")])
def test_anything_else(made, got):
    with pytest.raises(ConfigError, match=f"expected a gymnasium environment .* got {got}"):
        adapt(made, LIMITED, "mine")


def test_an_exception_of_a_constructor_has_the_environment_s_name_and_its_traceback():
    class Broken:
        def __init__(self, size):
            self.cells = 1 // size

    family = user_family("my_module:Broken", Broken)
    with pytest.raises(EnvError, match="environment Broken: its constructor raised ZeroDivisionError") as caught:
        family.create(AdapterOptions(env_args={"size": 0}))
    assert "self.cells = 1 // size" in environment_traceback(caught.value)
    with pytest.raises(ConfigError, match="env my_module:Broken: its parameter 'size' has no value"):
        family.create(AdapterOptions())
