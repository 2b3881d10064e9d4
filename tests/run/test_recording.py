"""Recordings show the episodes that are evaluated, of every environment that can be drawn."""

import numpy as np
import pytest
from PIL import Image
from recordings import Drawn, Frames, frames_of

from pyqmix import ConfigError, train
from pyqmix.base.seeding import Stream
from pyqmix.play.create import create_rollout
from pyqmix.run.evaluate import load_agent
from pyqmix.run.recording import EPISODES, Recording, record_run
from pyqmix.run.recording.episodes import draw, play_moments


@pytest.fixture(scope="module")
def lbf_run(tmp_path_factory, tiny_config):
    folder = tmp_path_factory.mktemp("lbf") / "run"
    options = {"task": "Foraging-5x5-2p-1f-v3", "episode_limit": 4, "agent": "gru", "total_steps": 8}
    train(tiny_config(env="lbf", run_dir=str(folder), **options), quiet=True)
    return folder


def test_the_episodes_are_those_that_are_evaluated(lbf_run):
    config, agent = load_agent(lbf_run)
    played = create_rollout(config, agent, 5, Stream.EVALUATION, 1).play(0, EPISODES, 0.0)
    for index in range(EPISODES):
        moments = list(play_moments(config.create_env(), agent, 5, index))
        assert [m.steps for m in moments] == list(range(played.lengths[index] + 1))
        assert [m.ended for m in moments] == [False] * played.lengths[index] + [True]
        assert moments[-1].total == sum(m.reward for m in moments) == played.returns[index]


def test_values_are_those_of_the_actions_and_the_best_available(lbf_run, monkeypatch):
    config, agent = load_agent(lbf_run)
    seen, act = [], agent.act
    monkeypatch.setattr(agent, "act", lambda *x: seen.append(act(*x)) or seen[-1])
    moments = list(play_moments(config.create_env(), agent, 0, 0))[1:]
    for moment, (qs, _) in zip(moments, seen, strict=True):
        own = qs[0].numpy()[np.arange(2), moment.actions]
        np.testing.assert_array_equal(moment.values, own)
    assert len({tuple(m.values) for m in moments}) == len(moments) > 1


def test_last_frames_of_all_episodes_are_held(drawn_run):
    frames = frames_of(drawn_run)
    assert [f.seconds for f in frames] == 3 * [0.2, 0.2, 0.2, 1.0]
    assert len({f.pixels.tobytes() for f in frames}) == len(frames)
    assert len(frames_of(drawn_run, episodes=1)) == 4


def test_play_ends_where_every_sink_is_closed(drawn_run):
    short, long = Frames(2), Frames(5)
    Recording(drawn_run, 0).play([short, long])
    assert len(long.frames) == 5


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (np.zeros((4, 4), np.uint8), r"expected \(H, W, 3\) uint8 of its render\(\), got \(4, 4\) uint8"),
        (np.zeros((4, 4, 3)), r"got \(4, 4, 3\) float64"),
        ([[0]], "got list"),
    ],
)
def test_odd_pictures_are_refused(picture, expected):
    with pytest.raises(ConfigError, match=f"environment drawn cannot be drawn: .*{expected}"):
        draw(Drawn(picture))


@pytest.mark.slow
def test_another_librarys_environment_draws_without_having_been_asked_in_training(tmp_path, tiny_config):
    pytest.importorskip("mpe2")
    config = tiny_config(
        env="pettingzoo", task="mpe2.simple_spread_v3", episode_limit=2, total_steps=4, eval_episodes=1,
        run_dir=str(tmp_path / "run"),
    )  # fmt: skip
    train(config, quiet=True)
    record_run(tmp_path / "run", tmp_path / "x.gif", 0, episodes=1)
    with Image.open(tmp_path / "x.gif") as gif:
        assert gif.n_frames == 3
