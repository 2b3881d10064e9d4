"""A run starts from another one's weights, as far as they fit, and says how far."""

import json
import shutil

import pytest
import torch
from run_files import options_of
from safetensors.torch import load_file

from pyqmix import Config, ConfigError, train
from pyqmix.envs import TwoStep
from pyqmix.learn.learner import Learner
from pyqmix.run import checkpoint
from pyqmix.run.init_from import init_from


@pytest.fixture
def learner(tiny_config):
    """Make a learner of two_step, whose targets differ from its online networks."""

    def make(**options):
        made = Learner(TwoStep().spec, tiny_config(seed=5, **options))
        with torch.no_grad():
            made.target_flat.block.zero_()
        return made

    return make


def weights(folder):
    return load_file(checkpoint.find(folder) / "weights.safetensors")


def assert_equal(network, tensors, prefix, but=()):
    for name, value in network.state_dict().items():
        assert torch.equal(value, tensors[f"{prefix}.{name}"]) == (name not in but), name


def test_agent_and_mixer_are_those_of_the_other_run_and_the_targets_theirs(tiny_run, learner):
    new, theirs = learner(), weights(tiny_run)
    said = init_from(new, tiny_run)
    assert said == f"initial weights from {tiny_run}/checkpoints/step_300: agent: 6 of 6; mixer: 14 of 14"
    for prefix in ("agent", "mixer"):
        assert_equal(getattr(new, prefix), theirs, prefix)
        assert_equal(getattr(new, f"target_{prefix}"), theirs, prefix)
    block = torch.cat([p.detach().reshape(-1) for p in new.parameters])
    assert torch.equal(new.flat.block.detach(), block)  # where the optimizer changes them
    assert torch.equal(new.target_flat.block.detach(), block)
    assert new.updates == 0
    assert not new.optimizer.state_dict()["state"]


def test_what_does_not_fit_is_named_and_stays(tiny_run, learner):
    new, theirs = learner(embed_dim=5), weights(tiny_run)
    before = {name: value.clone() for name, value in new.mixer.state_dict().items()}
    said = init_from(new, tiny_run)
    assert "agent: 6 of 6; mixer: 5 of 14, not hyper_w_1.2.weight (8, 8) != (10, 8), " in said
    assert said.endswith(" and 6 more")
    assert_equal(new.agent, theirs, "agent")
    for name, value in new.mixer.state_dict().items():
        fits = theirs[f"mixer.{name}"].shape == value.shape
        assert torch.equal(value, theirs[f"mixer.{name}"] if fits else before[name])


def test_networks_of_other_kinds_share_what_has_the_same_name(tiny_run, learner):
    said = init_from(learner(agent="gru", mixer="vdn"), tiny_run)
    assert "agent: 2 of 8, not rnn.weight_ih_l0 (absent there), " in said
    assert said.endswith(" and 3 more; mixer: has no weights")


def test_the_other_run_may_have_networks_that_are_unknown_here(tiny_run, learner, tmp_path):
    folder = shutil.copytree(tiny_run, tmp_path / "run")
    options = options_of(folder)
    (folder / "config.json").write_text(json.dumps({**options, "agent": "gone", "env": "gone:Env"}))
    assert "agent: 6 of 6" in init_from(learner(), folder)


def test_nothing_fits(tiny_run, learner, tmp_path):
    new = learner(share_parameters=False, mixer="iql")
    before = new.flat.block.clone()
    with pytest.raises(ConfigError, match=r"^init_from: no weight of .*run.* fits: agent: 0 of 6, not "):
        init_from(new, tiny_run)
    assert torch.equal(new.flat.block, before)
    with pytest.raises(ConfigError, match=r"^init_from: .*expected the folder of a run"):
        init_from(learner(), tmp_path)


def test_a_run_starts_from_it_says_so_and_can_be_resumed(tiny_run, tiny_config, tmp_path, capsys, monkeypatch):
    options = {"run_dir": str(tmp_path / "run"), "init_from": str(tiny_run), "total_steps": 2, "eval_episodes": 1}
    result = train(tiny_config(**options))
    assert "\ninitial weights from " in capsys.readouterr().out
    assert_equal(result.learner.agent, weights(tiny_run), "agent")
    assert options_of(tmp_path / "run")["init_from"] == str(tiny_run)
    resumed = Config.from_json(tmp_path / "run/config.json").replace(total_steps=40)
    monkeypatch.setattr("pyqmix.run.run.init_from", None)  # it is not called
    assert train(resumed, resume=True).summary["updates"] > 0
    assert "initial weights" not in capsys.readouterr().out


def test_a_folder_that_is_no_run_leaves_nothing_behind(tiny_config, tmp_path):
    with pytest.raises(ConfigError, match=r"init_from: .*none: expected the folder of a run"):
        train(tiny_config(run_dir=str(tmp_path / "run"), init_from=str(tmp_path / "none")), quiet=True)
    assert list(tmp_path.iterdir()) == []
