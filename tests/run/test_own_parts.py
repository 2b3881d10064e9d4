"""Environments, agents and mixers of a user's own train without an edit of pyqmix."""

import own_parts
import pytest
import torch
from own_parts import CellAgent, LinearAgent, Meeting, WeightedSum
from run_files import options_of

from pyqmix import Config, ConfigError, from_preset, train
from pyqmix.run.evaluate import evaluate_run

SHORT = {
    **{"total_steps": 60, "batch_size": 4, "buffer_size": 64, "eval_episodes": 2, "eval_every": 60},
    **{"device": "cpu", "checkpoint_every": 60},
}


def options(tmp_path, **more):
    return {**SHORT, "run_dir": str(tmp_path / "run"), **more}


@pytest.mark.parametrize(("agent", "mixer"), [(LinearAgent, None), (CellAgent, WeightedSum)])
def test_own_parts_train_resume_and_evaluate(tmp_path, agent, mixer):
    config = Config(**options(tmp_path, episode_limit=6))
    result = train(config, env=Meeting, agent=agent, mixer=mixer, quiet=True)
    assert result.summary["updates"] > 0
    saved = options_of(result.run_dir)
    assert saved["env"] == "own_parts:Meeting"
    assert saved["task"] is None
    assert saved["mixer"] == ("qmix" if mixer is None else "own_parts:WeightedSum")
    assert evaluate_run(result.run_dir, 3, 0).returns.shape == (3,)
    again = Config.from_json(result.run_dir / "config.json").replace(total_steps=90)
    assert train(again, resume=True, quiet=True).summary["total_steps"] >= 90


@pytest.mark.parametrize("agent", [LinearAgent, CellAgent])
def test_an_own_agent_acts_by_pytorch_in_a_native_environment(tmp_path, agent):
    config = from_preset("none", **options(tmp_path, env="two_step"))
    result = train(config, agent=agent, mixer=WeightedSum, quiet=True)
    assert result.summary["env"] == "two_step"
    assert torch.isfinite(result.learner.flat.block).all()


def test_arguments_reach_the_parts(tmp_path):
    config = Config(
        env="own_parts:Meeting",
        mixer="own_parts:WeightedSum",
        env_args={"pay": 3.0},
        mixer_args={"offset": 0.5},
        **options(tmp_path, episode_limit=6),
    )
    result = train(config, quiet=True)
    assert result.learner.mixer.net.offset == 0.5
    assert set(evaluate_run(result.run_dir, 20, 0).returns) <= {0.0, 3.0}


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("mixer_args", {"offste": 1}, "mixer own_parts:WeightedSum: expected arguments among n_agents"),
        ("env_args", {"pax": 1}, "env own_parts:Meeting: expected arguments among max_steps, pay, got 'pax'"),
        ("task", "easy", "task: own_parts:Meeting has no parameter of this name, got 'easy'"),
        ("share_parameters", False, "share_parameters: expected true, because agent own_parts:LinearAgent"),
    ],
)
def test_arguments_that_a_part_does_not_have(tmp_path, option, value, expected):
    parts = {"env": "own_parts:Meeting", "mixer": "own_parts:WeightedSum", "agent": "own_parts:LinearAgent"}
    with pytest.raises(ConfigError, match=expected):
        train(Config(**parts, **options(tmp_path, episode_limit=6, **{option: value})), quiet=True)
    assert not (tmp_path / "run").exists()


def test_single_transitions_need_an_agent_without_a_hidden_state(tmp_path):
    config = Config(env="two_step", agent="own_parts:CellAgent", batch_transitions=8, **options(tmp_path))
    with pytest.raises(ConfigError, match="batch_transitions: expected an agent without a hidden state"):
        train(config, quiet=True)


def test_parts_without_a_name_train_in_this_process(tmp_path):
    made = train(
        Config(**options(tmp_path, episode_limit=4)), env=lambda: own_parts.Meeting(max_steps=4), quiet=True
    )
    assert "<lambda>" in made.summary["env"]
