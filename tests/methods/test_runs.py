"""Each method is trained, resumed and evaluated by its name, as a user's own mixer would be."""

from importlib.metadata import entry_points

import pytest
import torch

from pyqmix import Config, ConfigError, from_preset, train
from pyqmix.run.evaluate import evaluate_run

METHODS = ["cw_qmix", "ow_qmix", "qplex", "qtran", "qatten"]


def test_the_methods_are_declared_as_a_strangers_are():
    assert {point.name for point in entry_points(group="pyqmix.mixers")} >= set(METHODS)


def tiny(mixer, folder, **options):
    few = {"eval_every": 40, "checkpoint_every": 40, "log_every": 40, "eval_episodes": 2, "device": "cpu"}
    small = {"hidden_dim": 8, "embed_dim": 4, "hypernet_dim": 4, "batch_size": 4, "buffer_size": 50}
    return from_preset(env="two_step", mixer=mixer, total_steps=40, run_dir=str(folder), **few, **small, **options)


@pytest.mark.parametrize(
    "mixer", [x if x == "cw_qmix" else pytest.param(x, marks=pytest.mark.slow) for x in METHODS]
)
def test_a_run_is_resumed_with_the_whole_mixer_and_evaluated(mixer, tmp_path):
    """Its joint networks are in the checkpoint, the optimizer and the target copy."""
    folder = tmp_path / "run"
    trained = train(tiny(mixer, folder), quiet=True).learner
    again = train(Config.from_json(folder / "config.json"), resume=True, quiet=True).learner
    assert len(list(again.mixer.parameters())) > 0
    assert torch.equal(again.flat.block, trained.flat.block)
    assert torch.equal(again.target_flat.block, trained.target_flat.block)
    assert evaluate_run(folder, episodes=2, seed=0).returns.shape == (2,)


@pytest.mark.slow
@pytest.mark.parametrize("mixer", METHODS)
def test_a_resumed_run_learns_on(mixer, tmp_path):
    config = tiny(mixer, tmp_path / "run", agent="gru")
    before = train(config, quiet=True).learner
    after = train(config.replace(total_steps=60), resume=True, quiet=True).learner
    changed = [not torch.equal(a, b) for a, b in zip(before.parameters, after.parameters, strict=True)]
    assert all(changed)


def test_an_unknown_argument_of_a_mixer_is_named(tmp_path):
    config = tiny("qplex", tmp_path / "run", mixer_args={"heads": 3})
    with pytest.raises(ConfigError, match=r"n_heads.*'heads'"):
        train(config, quiet=True)
