"""Where an environment tells whether the team has won, every report of a run has the win rate."""

import json

import numpy as np
import pytest
from duel import Duel

from pyqmix import Config, train
from pyqmix.base.seeding import Stream
from pyqmix.cli import evaluate
from pyqmix.envs.last_action import LastActionEnv
from pyqmix.learn.learner import Learner
from pyqmix.nn.agents import MLPAgent
from pyqmix.play.create import create_rollout
from pyqmix.play.episodes import all_told
from pyqmix.play.evaluator import Evaluation
from pyqmix.play.rollout import Rollout
from pyqmix.run.metrics import read_metrics


class Tracked(Duel):
    """Remembers which of its episodes were won."""

    def __init__(self, wins):
        super().__init__()
        self.wins = wins

    def reset(self, seed):
        self.wins.append(seed % 2 == 0)
        return super().reset(seed)


@pytest.fixture
def duel_run(tiny_config, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Config, "create_env", lambda self: Duel())
    every = {"total_steps": 60, "eval_every": 30, "log_every": 20}
    return train(tiny_config(run_dir=str(tmp_path / "run"), env="matrix", **every)).run_dir


def test_an_episode_is_won_as_its_last_step_says():
    wins = []
    envs = [LastActionEnv(Tracked(wins))]
    played = Rollout(envs, MLPAgent(3, 2, 2, 8), 0, Stream.ENVIRONMENT).play(0, 20, 0.5)
    assert played.won.dtype == np.bool_
    assert played.won.tolist() == wins
    assert 0 < sum(wins) < 20


@pytest.mark.slow
def test_workers_pass_on_who_has_won():
    config = Config(env="smac", task="smac_envs:SeededSkirmish", env_args={"health": 6}, num_envs=2, hidden_dim=8)
    env = config.create_env()
    agent = Learner(env.spec, config).agent
    env.close()
    won = []
    for num_workers in (0, 1):
        rollout = create_rollout(config, agent, 0, Stream.ENVIRONMENT, 1, None, num_workers)
        won.append(rollout.play(0, 12, 1.0).won.tolist())
        rollout.close()
    assert won[0] == won[1]
    assert 0 < sum(won[0]) < 12


def test_one_episode_of_which_nothing_is_told_leaves_no_win_rate():
    assert all_told([True, None]) is None
    assert Evaluation(np.ones(2), all_told([True, None])).win_rate is None
    assert Evaluation(np.ones(4), all_told([True, False, False, False])).win_rate == 0.25


def test_every_report_of_a_run_has_the_win_rate(duel_run, monkeypatch, capsys):
    said = capsys.readouterr().out
    evaluated = [m for m in read_metrics(duel_run) if m.eval_return_mean is not None]
    assert f", won {100 * evaluated[-1].eval_win_rate:.1f} %\n" in said
    assert f"  won {100 * evaluated[-1].eval_win_rate:.0f} %  " in said
    rates = {m.eval_win_rate for m in evaluated}
    assert rates <= {0.0, 0.25, 0.5, 0.75, 1.0}
    assert any(0 < m.train_win_rate < 1 for m in read_metrics(duel_run))
    assert json.loads((duel_run / "summary.json").read_text())["eval_win_rate"] == evaluated[-1].eval_win_rate
    monkeypatch.setattr("sys.argv", ["pyqmix-eval", str(duel_run), "--episodes", "40"])
    evaluate.main()
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("won ")]
    assert 0 < float(line.split()[1]) < 100


def test_nothing_is_said_where_the_environment_does_not_tell(tiny_run):
    assert {m.eval_win_rate for m in read_metrics(tiny_run)} == {None}
    assert "eval_win_rate" not in json.loads((tiny_run / "summary.json").read_text())
