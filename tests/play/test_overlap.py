"""Episodes beside the training steps: those of the weights before them, whichever thread is the faster."""

import copy
import json
import os
import signal
import threading
import time
import traceback

import pytest
import torch
from ring_episodes import SPEC, make_episode, number_episode, numbers, write, write_numbers

from pyqmix import _C, Config, EnvError, EpisodeRing, train
from pyqmix.base.seeding import Stream, derive_seed
from pyqmix.envs import make_env
from pyqmix.learn.learner import Learner
from pyqmix.play import ahead as overlap
from pyqmix.play.ahead import PlayAhead
from pyqmix.play.create import create_rollout
from pyqmix.play.native import NativeRollout
from pyqmix.run import checkpoint
from pyqmix.run.metrics import read_metrics

PLAYED = {
    "native": {"env": "lbf", "total_steps": 2_000, "eps_end": 0.2, "eps_steps": 500},
    "native, recurrent": {"env": "lbf", "total_steps": 1_000, "agent": "gru", "eps_start": 0.3},
    "python": {"eps_end": 0.2, "eps_steps": 100, "num_envs": 3},
    "workers": {
        "env": "gymnasium",
        "task": "worker_envs:Walk-v0",
        "num_envs": 4,
        "num_workers": 2,
        "eps_start": 0.3,
    },
    "rare updates": {"updates_per_episode": 0.3, "num_envs": 2, "eps_start": 0.5},
}

LAST_UPDATE = 142  # of the tiny run, from 0: it plays 150 episodes, and learns from the eighth on


@pytest.fixture(params=PLAYED.values(), ids=PLAYED)
def config(request, tiny_config, tmp_path):
    return tiny_config(overlap=True, run_dir=str(tmp_path / "run"), lr=0.01, **request.param)


def parameters(learner):
    return [p.tolist() for p in (*learner.parameters, *learner.target_flat.parameters)]


def without_clock(folder):
    return [
        {k: v for k, v in vars(m).items() if k not in ("wall_seconds", "env_steps_per_second")}
        for m in read_metrics(folder)
    ]


def one_after_the_other(config, lag=True):
    """The training that overlap promises, on one thread: an episode waits for the training steps before it."""
    env = config.create_env()
    learner, ring = Learner(env.spec, config), EpisodeRing(env.spec, config.buffer_size)
    actor = copy.deepcopy(learner.agent)
    rollout = create_rollout(config, actor, config.seed, Stream.ENVIRONMENT, config.num_envs, ring)
    sampler = ring.sampler(derive_seed(config.seed, Stream.REPLAY))
    before, steps, episodes, due = learner.agent.state_dict(), 0, 0, 0.0
    while steps < config.total_steps:
        actor.load_state_dict(before if lag else learner.agent.state_dict())
        steps += rollout.play(episodes, config.num_envs, config.epsilon(steps)).steps
        episodes += config.num_envs
        due += config.updates_due(config.num_envs)
        before = copy.deepcopy(learner.agent.state_dict())
        if len(ring) < config.batch_size:
            due = 0.0
        while due >= 1 - 1e-9:
            learner.update(sampler.sample(config.batch_size))
            due -= 1
    rollout.close()
    return parameters(learner)


def test_the_policy_lags_by_the_training_steps_of_one_round(config):
    learned = parameters(train(config, quiet=True).learner)
    assert learned == one_after_the_other(config)
    assert learned != one_after_the_other(config, lag=False)


def test_without_the_option_nothing_lags(config):
    config = config.replace(overlap=False, num_workers=0)
    assert parameters(train(config, quiet=True).learner) == one_after_the_other(config, lag=False)


@pytest.fixture
def order(monkeypatch):
    """Let training steps wait for the episodes beside them, or these for a training step."""
    played, trained, updates = threading.Event(), threading.Event(), []

    def in_order(first):
        play, update = PlayAhead._play, Learner.update

        def play_in_order(self, *episodes):
            if threading.current_thread() is threading.main_thread():
                return play(self, *episodes)
            if first == "training":
                assert trained.wait(20), "the episodes wait for a training step that does not come"
                trained.clear()
            ahead = play(self, *episodes)
            played.set()
            return ahead

        def update_in_order(self, batch, importance=None):
            if first == "episodes" and len(updates) < LAST_UPDATE:  # no episode is beside the last
                assert played.wait(20), "the episodes are not played beside the training steps"
                played.clear()
            updates.append(update(self, batch))
            trained.set()
            return updates[-1]

        monkeypatch.setattr(PlayAhead, "_play", play_in_order)
        monkeypatch.setattr(Learner, "update", update_in_order)
        return updates

    return in_order


@pytest.mark.parametrize("first", ["episodes", "training"])
def test_results_do_not_depend_on_which_thread_is_faster(tiny_config, tmp_path, order, first):
    config = tiny_config(overlap=True, eps_end=0.2, eps_steps=100, lr=0.01)
    folders = [tmp_path / name for name in ("as it comes", "in order")]
    expected = parameters(train(config.replace(run_dir=str(folders[0])), quiet=True).learner)
    assert expected == one_after_the_other(config)
    updates = order(first)
    assert parameters(train(config.replace(run_dir=str(folders[1])), quiet=True).learner) == expected
    assert len(updates) == LAST_UPDATE + 1
    assert without_clock(folders[0]) == without_clock(folders[1])


def test_evaluation_does_not_change_training(tiny_config, tmp_path):
    config = tiny_config(overlap=True, eps_start=0.3)
    learned = [
        parameters(train(config.replace(run_dir=str(tmp_path / str(every)), eval_every=every), quiet=True).learner)
        for every in (20, 300)
    ]
    assert learned[0] == learned[1]


def test_a_resumed_run_begins_like_a_new_one_and_repeats_itself(tiny_config, tmp_path):
    saved = []
    for name in ("one", "two"):
        config = tiny_config(overlap=True, eps_start=0.3, run_dir=str(tmp_path / name), total_steps=200)
        train(config, quiet=True)
        result = train(config.replace(total_steps=300), resume=True, quiet=True)
        saved.append((parameters(result.learner), without_clock(tmp_path / name)))
        assert result.summary["episodes"] == 150
    assert saved[0] == saved[1]


def test_a_failure_beside_the_training_steps_arrives_with_its_traceback(tiny_config, tmp_path, faulty_task):
    config = tiny_config(
        overlap=True, env="gymnasium", task=faulty_task("raise", 20), run_dir=str(tmp_path / "run")
    )
    with pytest.raises(EnvError, match="episode 20, step 1: step raised RuntimeError: the simulator") as caught:
        train(config, quiet=True)
    text = "".join(traceback.format_exception(caught.value))
    assert 'raise RuntimeError("the simulator' in text
    assert "in _serve" in text
    saved = json.loads((checkpoint.find(tmp_path / "run") / "progress.json").read_text())["progress"]
    assert (saved["steps"], saved["episodes"], saved["updates"]) == (60, 20, 20 - 7)


@pytest.fixture
def endless(monkeypatch, tmp_path, tiny_config):
    """A run whose episodes beside the first training step do not end, and what lets them end."""
    let_go, closed = threading.Event(), threading.Event()
    play, close = PlayAhead._play, NativeRollout.close

    def play_long(self, *episodes):
        if threading.current_thread() is threading.main_thread():
            return play(self, *episodes)
        begin()
        assert let_go.wait(60)
        raise RuntimeError("nobody hears this")

    def tell(self):
        close(self)
        if threading.current_thread() is not threading.main_thread():
            closed.set()

    def run(beginning):
        nonlocal begin
        begin = beginning
        return train(tiny_config(overlap=True, run_dir=str(tmp_path / "run")), quiet=True)

    begin = None
    monkeypatch.setattr(PlayAhead, "_play", play_long)
    monkeypatch.setattr(NativeRollout, "close", tell)
    monkeypatch.setattr(overlap, "_GRACE", 0.1)
    yield run
    assert not closed.is_set()
    let_go.set()
    assert closed.wait(20), "the environments are closed when they are no longer in use"


def test_a_failing_training_step_does_not_wait_for_the_episodes(endless, monkeypatch):
    def fail(self, batch, importance=None):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(Learner, "update", fail)
    with pytest.raises(RuntimeError, match="out of luck"):
        endless(lambda: None)


def test_a_second_interrupt_does_not_wait_for_the_episodes(endless, tmp_path):
    def interrupt():
        for _ in range(2):
            time.sleep(0.2)
            os.kill(os.getpid(), signal.SIGINT)

    assert endless(interrupt).exit_code == 130
    saved = json.loads((checkpoint.find(tmp_path / "run") / "progress.json").read_text())["progress"]
    assert (saved["episodes"], saved["updates"]) == (8, 1)


@pytest.fixture
def ahead():
    """Episodes of Level-Based Foraging that are played ahead, and their ring."""
    config = Config(env="lbf", num_envs=3, hidden_dim=8)
    env = config.create_env()
    ring = EpisodeRing(env.spec, 16)
    made = PlayAhead(config, Learner(env.spec, config).agent, ring)
    yield made, ring
    made.close()


def test_episodes_played_ahead_are_unseen_until_they_are_asked_for(ahead):
    player, ring = ahead
    player.start(0, 3, 0.5)
    player.wait()
    assert len(ring) == 0
    played = player.play(0, 3, 0.5)
    assert len(ring) == 3
    assert ring.sampler(0).sample(3).lengths.sum() == played.steps


def test_other_episodes_than_those_played_ahead_are_refused(ahead):
    player, ring = ahead
    player.start(0, 3, 0.5)
    player.wait()
    with pytest.raises(RuntimeError, match=r"played ahead, 0 and 2 more at epsilon 0.5, got 3, 2 more and 0.5"):
        player.play(3, 3, 0.5)
    assert len(ring) == 0


def test_a_transfer_copies_episodes_in_the_order_of_their_tickets():
    source, target = EpisodeRing(SPEC, 4), EpisodeRing(SPEC, 3)
    transfer = _C.EpisodeTransfer(source.native, target.native)
    write_numbers(source, 0, 6)  # tickets 4 and 5 lie in slots 0 and 1
    assert transfer.copy(3, 3) == 3
    assert numbers(target) == [3, 4, 5]
    write(target.writer(), number_episode(9))
    assert numbers(target) == [4, 5, 9]  # the oldest was that of the first ticket
    assert numbers(source) == [2, 3, 4, 5]


def test_a_transfer_refuses_what_is_not_published_and_other_episodes():
    source, target = EpisodeRing(SPEC, 4), EpisodeRing(SPEC, 3)
    transfer = _C.EpisodeTransfer(source.native, target.native)
    with pytest.raises(RuntimeError, match="ticket 0: its slot holds no published episode"):
        transfer.copy(0, 1)
    held = [target.writer() for _ in range(3)]
    slots = [writer.open() for writer in held]
    write(source.writer(), make_episode(SPEC, 2, 0))
    assert transfer.copy(0, 1) == 0  # no slot is free
    slots[0].abort()
    assert transfer.copy(0, 1) == 1
    other = EpisodeRing(make_env("two_step").spec, 2)
    with pytest.raises(ValueError, match="different kinds of episodes"):
        _C.EpisodeTransfer(other.native, target.native).copy(0, 0)


def test_the_actor_keeps_its_weights_while_the_agents_change(ahead):
    player, _ = ahead
    player.start(0, 3, 0.5)
    before = [p.clone() for p in player._agent.parameters()]
    with torch.no_grad():
        for p in player._agent.parameters():
            p.add_(1.0)
    assert all(torch.equal(a, b) for a, b in zip(player._actor.parameters(), before, strict=True))
    player.wait()
