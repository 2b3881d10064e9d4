"""Evaluation is greedy, and apart from training."""

import numpy as np
import pytest

from pyqmix import Config, ConfigError
from pyqmix.base.seeding import Stream
from pyqmix.base.spec import EpisodeSpec
from pyqmix.envs.protocol import Point, Step
from pyqmix.learn.learner import Learner
from pyqmix.play.evaluator import Evaluation, Evaluator
from pyqmix.play.rollout import Rollout
from pyqmix.run.evaluate import evaluate_run
from pyqmix.run.recording import record_run


class Recorder:
    """Episodes of four steps that remember their seeds and the actions that were taken."""

    name = "recorder"
    spec = EpisodeSpec(2, 3, 1, 1, 4)

    def __init__(self, seeds, actions):
        self.seeds, self.actions, self.steps = seeds, actions, 0

    def point(self):
        return Point(np.ones((2, 1), np.float32), np.ones((2, 3), np.bool_), np.ones(1, np.float32))

    def reset(self, seed):
        self.seeds.append(seed)
        self.steps = 0
        return self.point()

    def step(self, actions):
        self.actions.append(tuple(actions))
        self.steps += 1
        return Step(self.point(), 1.0, self.steps == 4, False)

    def close(self):
        pass


@pytest.fixture
def recorded(monkeypatch):
    seeds, actions = [], []
    monkeypatch.setattr(Config, "create_env", lambda self: Recorder(seeds, actions))
    return seeds, actions


def test_evaluation_is_greedy_and_has_its_own_seeds(recorded):
    seeds, actions = recorded
    learner = Learner(Recorder.spec, Config())
    evaluation = Evaluator(Config(eval_episodes=30), learner.agent, seed=0).evaluate(30)
    assert len(set(actions)) == 1  # the observation never changes
    assert evaluation.mean == 4.0
    training = []
    Rollout([Recorder(training, [])], learner.agent, 0, Stream.ENVIRONMENT).play(0, 30, 0.0)
    assert len(set(seeds)) == len(set(training)) == 30
    assert not set(seeds) & set(training)


def test_each_evaluation_plays_new_episodes_and_skipping_is_the_same_as_playing(recorded):
    seeds, _ = recorded
    agent = Learner(Recorder.spec, Config()).agent
    evaluator = Evaluator(Config(eval_episodes=5), agent, seed=0)
    evaluator.evaluate(5)
    evaluator.evaluate(5)
    assert len(set(seeds)) == 10
    skipping = Evaluator(Config(eval_episodes=5), agent, seed=0)
    skipping.skip(5)
    skipping.evaluate(5)
    assert sorted(seeds[10:]) == sorted(seeds[5:10])


@pytest.mark.slow
def test_interval_covers_the_mean_as_often_as_it_says():
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(300):
        low, high = Evaluation(random.normal(1.0, 2.0, 60)).interval(resamples=1_000)
        covered += low <= 1.0 <= high
    assert 0.90 < covered / 300 < 0.98


def test_interval_of_equal_returns_is_a_point():
    assert Evaluation(np.full(10, 0.5)).interval() == (0.5, 0.5)


def test_a_run_is_evaluated_by_its_newest_checkpoint(tiny_run):
    assert evaluate_run(tiny_run, episodes=3, seed=1).returns.shape == (3,)


def test_what_cannot_be_drawn_is_named(tiny_run, tmp_path):
    with pytest.raises(ConfigError, match="environment two_step cannot be drawn"):
        record_run(tiny_run, tmp_path / "run.gif", seed=0)
    assert not (tmp_path / "run.gif").exists()


def test_a_recording_that_cannot_be_written_is_named(tiny_run, tmp_path):
    for name in ("none/run.gif", "run.jpg", "run"):
        with pytest.raises(ConfigError, match=f"path: expected the name of a .gif or .mp4 file .* got .*{name}"):
            record_run(tiny_run, tmp_path / name, seed=0)
