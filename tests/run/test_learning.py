"""What is learned is right: values of the two-step game of arXiv:1803.11485, a penalty game, and foraging."""

import pytest
import torch
from training import two_step

from pyqmix import train
from pyqmix.config import from_preset
from pyqmix.run.evaluate import evaluate_run


def test_qmix_finds_the_values_of_the_two_step_game(tmp_path):
    result = two_step.train("qmix", 0, 4_000, tmp_path / "run")
    torch.testing.assert_close(two_step.joint_values(result.learner), two_step.TRUE_VALUES, atol=0.05, rtol=0)
    assert result.summary["eval_return_mean"] == 8.0


def test_vdn_prefers_the_branch_worth_seven(tmp_path):
    result = two_step.train("vdn", 0, 1_500, tmp_path / "run")
    root = two_step.joint_values(result.learner)[0]
    assert root[0].min() > root[1].max()
    assert result.summary["eval_return_mean"] == pytest.approx(7.0)


@pytest.mark.parametrize("seed", [0, 1])
def test_qmix_plays_safe_where_failed_coordination_is_punished(seed, tmp_path):
    """Its monotonic values cannot hold both good joint actions of (10, 0, -100 | 0, 2, 0 | -100, 0, 10)."""
    config = from_preset("penalty", seed=seed, total_steps=1_500, run_dir=str(tmp_path / "run"))
    assert train(config, quiet=True).summary["eval_return_mean"] == 2.0


@pytest.mark.parametrize(("preset", "steps"), [("lbf", 80_000), ("lbf-fast", 140_000)])
def test_foraging_is_solved(preset, steps, tmp_path):
    folder = tmp_path / "run"
    task = {"task": "Foraging-5x5-2p-1f-v3", "total_steps": steps, "eps_steps": steps // 2}
    train(from_preset(preset, seed=0, run_dir=str(folder), **task), quiet=True)
    assert evaluate_run(folder, 1_000, seed=1).mean >= 0.95
