"""What is said of a user's networks at a run's start."""

import copy
import re

import pytest
import torch

from pyqmix import Config, train
from pyqmix.learn.learner import Learner
from pyqmix.run import network_notes
from pyqmix.run.network_notes import doubts, price_notes

SIZES = {"env": "two_step", "hidden_dim": 8, "batch_size": 4, "device": "cpu"}


@pytest.fixture(autouse=True)
def briefly(monkeypatch):
    monkeypatch.setattr(network_notes, "_SECONDS", 0.01)


def notes(**options):
    config = Config(**SIZES, **options)
    world = config.create_env()
    learner = Learner(world.spec, config)
    weights, state = copy.deepcopy(learner.agent.state_dict()), torch.get_rng_state()
    found = [*price_notes(config, world, learner), *doubts(config, learner)]
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, weights[name]) for name, value in learner.agent.state_dict().items())
    assert learner.updates == 0
    return found


@pytest.mark.parametrize("mixer", ["qmix", "vdn", "iql"])
def test_nothing_is_said_of_networks_of_pyqmix(mixer):
    assert notes(mixer=mixer, agent="gru") == []


def test_the_price_of_learning_by_autograd_is_measured():
    (line,) = notes(mixer="own_parts:WeightedSum")
    times = r"a training step takes \d+\.\d ms, \d+\.\d ms with qmix"
    assert re.fullmatch(rf"mixer own_parts:WeightedSum learns by autograd: {times}", line)


def test_the_price_of_acting_by_pytorch_is_measured():
    (line,) = notes(agent="own_parts:CellAgent", mixer="own_parts:WeightedSum")
    assert line.startswith("agent own_parts:CellAgent and mixer own_parts:WeightedSum learn by autograd: ")
    assert re.search(r"ms with gru and qmix; agent own_parts:CellAgent acts by PyTorch: [\d,]+ steps/s, ", line)
    assert line.endswith(" with gru")


def test_an_agent_that_its_weights_do_not_determine_is_told():
    doubt = notes(agent="user_networks:DrawsFeatures")[-1]
    assert re.search(r"agent user_networks:DrawsFeatures: made again, .* values that differ by \d", doubt)


def test_what_learns_by_autograd_anyway_has_no_price():
    assert notes(mixer="own_parts:WeightedSum", n_step=3) == []


def test_a_run_says_once_that_a_mixer_is_not_monotone(tmp_path, capsys):
    options = {**SIZES, "total_steps": 8, "eval_episodes": 1, "run_dir": str(tmp_path / "run")}
    train(Config(**options, mixer="user_networks:Signed"))
    said = capsys.readouterr().out
    assert said.count("dq_tot/dq_i was negative in ") == 1
    assert said.count("mixer user_networks:Signed learns by autograd: ") == 1


def test_a_quiet_run_warns_that_a_mixer_is_not_monotone(tmp_path, capsys):
    options = {**SIZES, "total_steps": 8, "eval_episodes": 1, "run_dir": str(tmp_path / "run")}
    with pytest.warns(UserWarning, match=r"dq_tot/dq_i was negative in \d+ of 256 random cases"):
        train(Config(**options, mixer="user_networks:Signed"), quiet=True)
    assert capsys.readouterr().out == ""
