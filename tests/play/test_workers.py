"""Episodes in worker processes: the same as in one, whatever happens to the workers."""

import os
import signal
from functools import partial
from multiprocessing import forkserver
from threading import Lock

import pytest
import torch

from pyqmix import Config, ConfigError, EnvError, EpisodeRing, train
from pyqmix.base.errors import WorkerTraceback, environment_traceback
from pyqmix.base.seeding import Stream, episode_seed
from pyqmix.learn.learner import Learner
from pyqmix.nn import MLPAgent, VDNMixer
from pyqmix.play.create import create_rollout
from pyqmix.play.evaluator import Evaluator
from pyqmix.play.rollout import Rollout
from pyqmix.play.training import training_rollout
from pyqmix.play.workers import WorkerRollout

TASK = "worker_envs:Walk-v0"
EPISODES = 12
FAULTY = 5  # the episode of Stream.ENVIRONMENT and seed 0 in which environments fail


def config_of(**env_args):
    return Config(
        env="gymnasium", task=TASK, env_args=env_args or None, num_envs=4, hidden_dim=8, step_timeout=0.5
    )


def faults(fault, marker=None):
    seed = episode_seed(0, Stream.ENVIRONMENT, FAULTY, wide=False)
    return {"fault": fault, "seed": seed, "marker": None if marker is None else str(marker)}


@pytest.fixture
def rollouts():
    """Make a rollout of workers and its ring; all are closed at the end."""
    made = []

    def make(num_workers, agent_kind="mlp", capacity=EPISODES, share=True, **env_args):
        config = config_of(**env_args).replace(agent=agent_kind, share_parameters=share)
        env = config.create_env()
        ring = EpisodeRing(env.spec, capacity, shared=True)
        agent = Learner(env.spec, config).agent
        made.append(create_rollout(config, agent, 0, Stream.ENVIRONMENT, 4, ring, num_workers))
        assert isinstance(made[-1], WorkerRollout)
        return made[-1], ring

    yield make
    for rollout in made:
        rollout.close()


def in_one_process(agent_kind="mlp", capacity=EPISODES, share=True):
    config = config_of().replace(agent=agent_kind, share_parameters=share)
    env = config.create_env()
    ring = EpisodeRing(env.spec, capacity)
    return Rollout([env], Learner(env.spec, config).agent, 0, Stream.ENVIRONMENT, ring), ring


def content(ring):
    """All batches of a sampler: they tell what lies in which slot."""
    sampler = ring.sampler(3)
    batches = [sampler.sample(len(ring)).tensors() for _ in range(2)]
    return [tensor.tolist() for batch in batches for tensor in batch.values()]


def results(rollout, ring, cuts=((0, 5), (5, 7))):
    played = [rollout.play(first, count, 0.5) for first, count in cuts]
    return [p.returns.tolist() for p in played], [p.lengths.tolist() for p in played], content(ring)


@pytest.mark.parametrize("kind", ["mlp", "gru"])
def test_results_do_not_depend_on_the_number_of_workers(rollouts, kind):
    expected = results(*in_one_process(kind))
    for num_workers in (1, 3):  # of four environments; of two, one and one
        assert results(*rollouts(num_workers, kind)) == expected


def test_workers_have_agents_without_shared_parameters(rollouts):
    assert results(*rollouts(2, share=False)) == results(*in_one_process(share=False))


def test_new_weights_reach_every_worker(rollouts):
    one, many = in_one_process()[0], rollouts(2)[0]
    for k in range(3):
        for rollout in (one, many):
            with torch.no_grad():
                rollout.agent.fc3.bias.copy_(torch.tensor([0.0, 0.0, 100.0]).roll(k))
        assert many.play(4 * k, 4, 0.0).returns.tolist() == one.play(4 * k, 4, 0.0).returns.tolist()


def test_an_exception_arrives_with_its_traceback(rollouts, tmp_path):
    rollout, ring = rollouts(2, **faults("raise", tmp_path / "raised"))
    message = f"^environment {TASK}, episode {FAULTY}, step 1: step raised RuntimeError: the simulator fell over$"
    with pytest.raises(EnvError, match=message) as caught:
        rollout.play(0, EPISODES, 0.5)
    cause = caught.value.__cause__
    assert isinstance(cause, WorkerTraceback)
    assert 'worker_envs.py", line' in str(cause)
    assert "in _fail" in str(cause)
    shown = environment_traceback(caught.value)  # by the command, above its one line
    assert shown.startswith("Traceback")
    assert shown.endswith("RuntimeError: the simulator fell over\n")
    assert "EnvError" not in shown
    played = rollout.play(0, EPISODES, 0.5)
    assert played.returns.tolist() == in_one_process()[0].play(0, EPISODES, 0.5).returns.tolist()
    assert len(ring) == EPISODES


def test_sys_exit_in_a_worker_is_an_error_of_the_environment(rollouts):
    rollout, _ = rollouts(2, **faults("exit"))
    with pytest.raises(
        EnvError, match=f"^environment {TASK}, episode {FAULTY}, step 1: step raised SystemExit: 0$"
    ):
        rollout.play(0, EPISODES, 0.5)


def test_workers_and_their_server_survive_what_their_trainer_handles(rollouts):
    rollout, ring = rollouts(2)
    before, server = rollout.pool.processes, forkserver._forkserver._forkserver_pid
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        for process in (server, *before):
            os.kill(process, number)
    assert results(rollout, ring) == results(*in_one_process())
    assert rollout.pool.processes == before
    assert os.waitpid(server, os.WNOHANG) == (0, 0)


@pytest.mark.parametrize("fault", ["kill", "hang"])
def test_a_killed_or_hanging_worker_is_replaced(rollouts, tmp_path, fault):
    rollout, ring = rollouts(2, **faults(fault, tmp_path / "failed"))
    before = rollout.pool.processes
    assert results(rollout, ring) == results(*in_one_process())
    assert len(set(before) & set(rollout.pool.processes)) == 1
    assert ring.stats()["revoked"] >= 1  # the other episodes of that worker too


FATES = {
    "kill": "the worker that plays it died 3 times, the last time with exit code -9",
    "hang": "step took longer than step_timeout = 0.5 s, 3 times",
}


@pytest.mark.parametrize(("fault", "fate"), [*FATES.items()], ids=[*FATES])
def test_an_environment_that_fails_every_worker_is_blamed(rollouts, fault, fate):
    rollout, _ = rollouts(2, **faults(fault))
    with pytest.raises(EnvError, match=f"^environment {TASK}, episode {FAULTY}, step 1: {fate}$"):
        rollout.play(0, EPISODES, 0.5)
    assert rollout.play(0, FAULTY, 0.5).lengths.size == FAULTY


def test_a_constructor_that_hangs_is_blamed(rollouts):
    rollout, _ = rollouts(1, fault="build", builder=os.getpid())
    with pytest.raises(EnvError, match=r"^environment .*, while it is built: its constructor took longer than"):
        rollout.play(0, 1, 0.5)


def test_a_worker_that_cannot_start_says_why():
    agent = in_one_process()[0].agent
    rollout = create_rollout(config_of(nonsense=1), agent, 0, Stream.ENVIRONMENT, 1, num_workers=1)
    with pytest.raises(ConfigError, match="nonsense"):
        rollout.play(0, 1, 0.5)
    rollout.close()


class Unpicklable(str):
    def __reduce__(self):
        raise TypeError("cannot pickle 'simulator' object")


def test_an_environment_that_cannot_be_sent_to_workers_is_named():
    config = config_of(marker=Unpicklable("x"))
    message = (
        f"^env: {TASK} cannot be sent to worker processes: cannot pickle 'simulator' object; define it at the"
    )
    with pytest.raises(ConfigError, match=message):
        create_rollout(config, in_one_process()[0].agent, 0, Stream.ENVIRONMENT, 1, num_workers=1)


def test_workers_need_no_mixer_and_an_agent_that_cannot_be_sent_is_named():
    own = config_of().with_own(mixer=lambda: VDNMixer())
    rollout = create_rollout(own, in_one_process()[0].agent, 0, Stream.ENVIRONMENT, 1, num_workers=1)
    rollout.close()
    own = config_of().with_own(agent=partial(MLPAgent, Lock()))
    with pytest.raises(ConfigError, match=r"^agent: .*MLPAgent\(...\) cannot be sent to worker processes: "):
        create_rollout(own, in_one_process()[0].agent, 0, Stream.ENVIRONMENT, 1, num_workers=1)


def test_closing_ends_the_workers(rollouts):
    rollout, _ = rollouts(2)
    rollout.play(0, 2, 0.5)
    processes = [worker.process for worker in rollout.pool._workers]
    rollout.close()
    assert [process.exitcode for process in processes] == [0, 0]


def test_workers_close_their_environments(rollouts, tmp_path):
    rollout, _ = rollouts(2, closed=str(tmp_path))
    rollout.play(0, 2, 0.5)
    before = len(os.listdir(tmp_path))
    rollout.close()
    assert len(os.listdir(tmp_path)) == before + 4


def test_evaluation_is_played_by_the_training_s_workers_in_their_environments(tmp_path):
    config = config_of(built=str(tmp_path)).replace(num_workers=2, num_envs=5)
    env = config.create_env()
    agent = Learner(env.spec, config).agent
    before = set(os.listdir(tmp_path))
    ring = EpisodeRing(env.spec, EPISODES, shared=True)
    training = training_rollout(config, env.spec, agent, ring)
    evaluator = Evaluator(config, agent, 7, training)
    training.play(0, 4, 0.5)
    evaluation = evaluator.evaluate(6)
    played = training.play(4, 4, 0.5)
    evaluator.close()
    training.close()
    assert len(ring) == 8
    assert len(set(os.listdir(tmp_path)) - before) == 5  # num_envs of them, in two processes
    alone, _ = in_one_process()
    assert played.returns.tolist() == alone.play(4, 4, 0.5).returns.tolist()
    apart = alone.apart(alone.agent, 7, Stream.EVALUATION)
    assert evaluation.returns.tolist() == apart.play(0, 6, 0.0).returns.tolist()


def test_evaluation_without_training_builds_its_environments_when_it_is_needed(tmp_path):
    config = config_of(built=str(tmp_path))
    evaluator = Evaluator(config, in_one_process()[0].agent, 7)
    assert os.listdir(tmp_path) == []
    evaluator.evaluate(6)
    assert len(os.listdir(tmp_path)) == 4
    evaluator.close()


def test_training_does_not_depend_on_the_number_of_workers(tiny_config, tmp_path):
    learned = []
    for num_workers in (1, 2):
        run_dir = tmp_path / str(num_workers)
        config = tiny_config(
            env="gymnasium", task=TASK, num_envs=4, num_workers=num_workers, run_dir=str(run_dir), total_steps=150
        )
        result = train(config, quiet=True)
        learned.append([p.tolist() for p in result.learner.parameters])
        assert result.summary["updates"] > 0
    assert learned[0] == learned[1]


def test_workers_are_refused_where_they_are_of_no_use(tiny_config, tmp_path):
    with pytest.raises(ConfigError, match=r"num_workers: expected at most num_envs 2, .* got 3"):
        tiny_config(num_envs=2, num_workers=3)
    with pytest.raises(ConfigError, match="num_workers: expected an integer of at least 0, got -1"):
        tiny_config(num_workers=-1)
    with pytest.raises(ConfigError, match=r"num_workers: expected 0, because lbf .* natively.* got 1"):
        train(Config(env="lbf", num_workers=1, run_dir=str(tmp_path / "run")), quiet=True)
    assert os.listdir(tmp_path) == []
