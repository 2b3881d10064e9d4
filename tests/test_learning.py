"""What is learned is right: the two-step game's values of arXiv:1803.11485, table 1."""

import pytest
import torch
import two_step


def test_qmix_finds_the_values_of_the_two_step_game(tmp_path):
    result = two_step.train("qmix", 0, 4_000, tmp_path / "run")
    torch.testing.assert_close(two_step.joint_values(result.learner), two_step.TRUE_VALUES, atol=0.05, rtol=0)
    assert result.summary["eval_return_mean"] == 8.0


def test_vdn_prefers_the_branch_worth_seven(tmp_path):
    result = two_step.train("vdn", 0, 1_500, tmp_path / "run")
    root = two_step.joint_values(result.learner)[0]
    assert root[0].min() > root[1].max()
    assert result.summary["eval_return_mean"] == pytest.approx(7.0)
