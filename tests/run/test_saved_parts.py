"""Runs with networks of a user's own: what is loaded from them later, and by whom."""

import json

import own_parts
import pytest
import torch
import user_networks
from run_files import options_of

from pyqmix import Config, ConfigError, load_policy, train
from pyqmix.run import checkpoint
from pyqmix.run.evaluate import evaluate_run, load_agent
from pyqmix.run.recording import record_run

SHORT = {
    **{"episode_limit": 3, "total_steps": 24, "batch_size": 4, "buffer_size": 64, "eval_episodes": 2},
    **{"device": "cpu", "hidden_dim": 8},
}


@pytest.fixture
def run(tmp_path):
    parts = {"env": own_parts.Meeting, "agent": user_networks.NormAgent, "mixer": own_parts.WeightedSum}
    return train(Config(**SHORT, run_dir=str(tmp_path / "run")), **parts, quiet=True)


def rename(run, **names):
    options = options_of(run.run_dir)
    (run.run_dir / "config.json").write_text(json.dumps({**options, **names}))


def test_buffers_are_in_checkpoints(run):
    norm = run.learner.agent.net.norm
    assert run.summary["updates"] > 0
    assert norm.num_batches_tracked == run.summary["updates"]
    _, agent = load_agent(run.run_dir)
    assert torch.equal(agent.net.norm.running_var, norm.running_var)
    assert torch.equal(agent.net.norm.num_batches_tracked, norm.num_batches_tracked)
    assert not agent.training
    again = Config.from_json(run.run_dir / "config.json").replace(total_steps=48)
    resumed = train(again, resume=True, quiet=True)
    assert resumed.learner.agent.net.norm.num_batches_tracked == resumed.summary["updates"]
    assert checkpoint.find(run.run_dir).name == f"step_{resumed.summary['total_steps']}"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "mine",
            r"is not registered here; call pyqmix.register_mixer, .* give it as mixer=\.\.\.: mixer: expected",
        ),
        (
            "__main__:MyMixer",
            "is of the script that trained it; give it as mixer=MyMixer",
        ),
        (
            "gone_away:Mixer",
            r"would import gone_away: pass --trust .*trust=True.*--mixer gone_away:Mixer, in Python mixer=\.\.\.",
        ),
    ],
)
def test_an_unknown_mixer_is_named_and_can_be_given(run, name, expected):
    known = evaluate_run(run.run_dir, 3, 0).returns
    rename(run, mixer=name)
    with pytest.raises(ConfigError, match=f"^{run.run_dir}: its mixer '{name}' {expected}"):
        evaluate_run(run.run_dir, 3, 0)
    if name == "gone_away:Mixer":
        expected = r"cannot be imported here; give it as mixer=\.\.\.: .*No module"
        with pytest.raises(ConfigError, match=f"^{run.run_dir}: its mixer '{name}' {expected}"):
            evaluate_run(run.run_dir, 3, 0, trust=True)
    given = evaluate_run(run.run_dir, 3, 0, mixer=own_parts.WeightedSum).returns
    assert (given == known).all()


def test_an_unknown_agent_or_environment_can_be_given(run):
    rename(run, agent="mine", env="mine")
    with pytest.raises(ConfigError, match=r"its env 'mine' is not registered here; call pyqmix\.register_env"):
        load_agent(run.run_dir)
    with pytest.raises(ConfigError, match=r"its agent 'mine' is not registered here; call pyqmix\.register_agent"):
        load_policy(run.run_dir)
    policy = load_policy(run.run_dir, agent=user_networks.NormAgent)
    assert policy.act([[0.0, 1.0], [1.0, 0.0]]).shape == (2,)
    config, agent = load_agent(run.run_dir, env=own_parts.Meeting, agent=user_networks.NormAgent)
    assert config.agent == "user_networks:NormAgent"
    assert isinstance(agent.net, user_networks.NormAgent)


def test_runs_with_own_networks_are_drawn(tmp_path):
    config = Config(env="lbf", **{**SHORT, "total_steps": 3}, run_dir=str(tmp_path / "run"))
    train(config, agent=own_parts.CellAgent, mixer=own_parts.WeightedSum, quiet=True)
    record_run(tmp_path / "run", tmp_path / "run.gif", 0)
    assert (tmp_path / "run.gif").stat().st_size > 0
    assert (tmp_path / "run" / "curve.png").stat().st_size > 0
