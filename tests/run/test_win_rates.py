"""Where an environment tells whether the team has won, every report of a run has the win rate."""

import itertools
import json
import re
import shutil

import numpy as np
import pytest
from duel import Duel
from run_files import results

from pyqmix import Config, train
from pyqmix.base.seeding import Stream
from pyqmix.base.wilson import wilson_interval
from pyqmix.cli import evaluate
from pyqmix.envs.last_action import LastActionEnv
from pyqmix.learn.learner import Learner
from pyqmix.nn.agents import MLPAgent
from pyqmix.play.create import create_rollout
from pyqmix.play.episodes import all_told
from pyqmix.play.evaluator import Evaluation
from pyqmix.play.rollout import Rollout
from pyqmix.run import checkpoint
from pyqmix.run.curve import draw_curve
from pyqmix.run.metrics import Metrics, read_metrics


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
    assert Evaluation(np.ones(2)).win_rate_interval is None
    quarter = Evaluation(np.ones(4), all_told([True, False, False, False]))
    assert (quarter.win_rate, quarter.win_rate_interval) == (0.25, wilson_interval(0.25, 4))


def test_every_report_of_a_run_has_the_win_rate(duel_run, monkeypatch, capsys):
    said = capsys.readouterr().out
    evaluated = [m for m in read_metrics(duel_run) if m.eval_return_mean is not None]
    last = evaluated[-1]
    assert f"  won {100 * last.eval_win_rate:>3.0f} %  " in said
    ends = f"{100 * last.eval_win_rate_low:.1f}, {100 * last.eval_win_rate_high:.1f}"
    assert f"\n  win rate       {100 * last.eval_win_rate:.1f} % [{ends}] 95 %\n" in said
    rates = {m.eval_win_rate for m in evaluated}
    assert rates <= {0.0, 0.25, 0.5, 0.75, 1.0}
    assert any(0 < m.train_win_rate < 1 for m in read_metrics(duel_run))
    summary = json.loads((duel_run / "summary.json").read_text())
    for name in ("eval_win_rate", "eval_win_rate_low", "eval_win_rate_high"):
        assert summary[name] == getattr(last, name)
    monkeypatch.setattr("sys.argv", ["pyqmix-eval", str(duel_run), "--episodes", "40"])
    evaluate.main()
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("won ")]
    won, low, high = map(float, re.findall(r"\d+\.\d", line))
    assert 0 < low < won < high < 100
    assert (low, high) == tuple(round(100 * end, 1) for end in wilson_interval(won / 100, 40))


def test_a_resumed_run_keeps_who_has_won(tiny_config, tmp_path, monkeypatch):
    monkeypatch.setattr(Config, "create_env", lambda self: Duel())
    every = {"total_steps": 60, "log_every": 25, "checkpoint_every": 30, "eval_every": 45, "num_envs": 3}
    config = tiny_config(run_dir=str(tmp_path / "whole"), env="matrix", overlap=True, **every)
    train(config, quiet=True)
    shutil.copytree(tmp_path / "whole", tmp_path / "copy")
    first = min(number for number, _ in checkpoint.folders(tmp_path / "copy"))
    train(config.replace(run_dir=str(tmp_path / "copy")), resume=True, checkpoint=first, quiet=True)
    assert results(tmp_path / "copy") == results(tmp_path / "whole")


def test_nothing_is_said_where_the_environment_does_not_tell(tiny_run):
    assert {m.eval_win_rate for m in read_metrics(tiny_run)} == {None}
    assert not [name for name in json.loads((tiny_run / "summary.json").read_text()) if "win" in name]
    figure = draw_curve(read_metrics(tiny_run))
    assert [axes.get_ylabel() for axes in figure.axes] == ["greedy evaluation return"]


def test_wilsons_interval_is_the_published_one():
    """It solves (p - x)^2 = z^2 p (1 - p) / n for the true rate p; Newcombe (1998) has these ends."""
    assert wilson_interval(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(15 / 148, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_interval(0.0, 20) == pytest.approx((0, 0.1611), abs=5e-5)
    assert wilson_interval(1 / 29, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)
    assert wilson_interval(1.0, 20) == pytest.approx((0.8389, 1), abs=5e-5)
    for share, count in itertools.product((0.0, 1.0), (1, 7, 1_000)):
        low, high = wilson_interval(share, count)
        assert 0 <= low <= share <= high <= 1
        assert high - low > 0
    z, (low, high) = 1.959964, wilson_interval(0.3, 50)
    for end in (low, high):
        assert (end - 0.3) ** 2 == pytest.approx(z**2 * end * (1 - end) / 50, rel=1e-5)
    assert wilson_interval(0.3, 50, 0.9)[0] > low


def test_win_rates_have_a_panel_of_their_own():
    ends, names = {0.0: (0.0, 0.3), 0.5: (0.2, 0.8), 1.0: (0.7, 1.0)}, ("", "_low", "_high")
    told = [{f"eval_win_rate{n}": x for n, x in zip(names, (r, *e), strict=True)} for r, e in ends.items()]
    history = [Metrics(k, k, k, 0.1, eval_return_mean=3.0, **each) for k, each in enumerate(told)]
    history.append(Metrics(9, 9, 9, 0.1))
    wins, returns = draw_curve(history).axes
    assert (len(wins.lines), len(wins.collections), len(returns.lines)) == (1, 1, 1)
    assert list(wins.lines[0].get_ydata()) == list(ends)
    band = {(x, y) for x, y in wins.collections[0].get_paths()[0].vertices.tolist()}
    assert band == {(k, end) for k, pair in enumerate(ends.values()) for end in pair}
    assert wins.get_ylim()[0] <= 0 < 1 <= wins.get_ylim()[1] < 1.1
