"""The threads of a run: chosen by itself, or by the user; no result depends on them."""

import json
from unittest.mock import Mock

import pytest
import torch

from pyqmix import Config, train
from pyqmix.base.errors import ConfigError
from pyqmix.base.kernel_threads import kernel_threads, kernel_threads_of
from pyqmix.base.ranks import ALONE
from pyqmix.base.seeding import Stream
from pyqmix.base.torch_threads import torch_threads
from pyqmix.learn.learner import Learner
from pyqmix.play.create import create_rollout
from pyqmix.run import threads as module
from pyqmix.run.thread_choice import ThreadChoice, Work
from pyqmix.run.threads import Threads, run_threads

OWN = "own_parts:LinearAgent"


@pytest.fixture
def in_blocks(monkeypatch):
    """Every round is a block of one that takes less time with more threads, on a machine of four cores."""
    counts = []

    def add(self, work):
        work.learning, work.playing = work.updates / self.count, 0.0
        counts.append(self.count)
        return real(self, work)

    real = ThreadChoice.add
    monkeypatch.setattr(ThreadChoice, "add", add)
    monkeypatch.setattr(module, "usable_cores", lambda: 4)
    return counts


@pytest.fixture
def short(tiny_config, tmp_path):
    """Train for a moment."""

    def run(name, resume=False, **options):
        seldom = {"eval_every": 1_000, "log_every": 50, "checkpoint_every": 1_000, "total_steps": 100}
        config = tiny_config(run_dir=str(tmp_path / name), **{**seldom, "threads": "auto", **options})
        return train(config, resume=resume)

    return run


def threads_of(**options):
    """The numbers of threads of torch and of the kernels in a run."""
    config = Config(env="two_step", **options)
    learner = Learner(config.create_env().spec, config)
    with torch_threads(1), run_threads(config, learner, ALONE, print) as threads:
        assert threads.count == kernel_threads()
        return torch.get_num_threads(), kernel_threads()


def results(run_dir):
    """What a run writes, but for its times."""
    columns = (run_dir / "metrics.csv").read_text().splitlines()
    timed = [k for k, name in enumerate(columns[0].split(",")) if "second" in name]
    rows = [[v for k, v in enumerate(row.split(",")) if k not in timed] for row in columns]
    newest = max(run_dir.glob("checkpoints/step_*"), key=lambda folder: int(folder.name[5:]))
    return rows, (newest / "weights.safetensors").read_bytes()


@pytest.mark.parametrize("options", [{"agent": "gru", "td_lambda": 0.5}, {"mixer": "qtran"}], ids=str)
def test_a_run_that_chooses_has_the_bits_of_one_thread(options, in_blocks, short, tmp_path):
    assert short("one", threads=1, **options).summary["threads"] == 1
    assert short("auto", **options).summary["threads"] == 4
    assert results(tmp_path / "auto") == results(tmp_path / "one")
    assert set(in_blocks) == {1, 2, 4}


def test_it_says_and_records_what_it_has_chosen(in_blocks, short, tmp_path, capsys):
    assert short("run").summary["threads"] == 4
    assert "threads: 4, 2.00 times as fast as 2 (4 cores can be used)\n" in capsys.readouterr().out
    assert json.loads((tmp_path / "run" / "config.json").read_text())["threads"] == "auto"
    assert torch.get_num_threads() == kernel_threads() == 1


def test_a_run_goes_on_to_the_same_bits_however_many_there_are(in_blocks, short, tmp_path):
    options = {"agent": "gru", "n_step": 2}
    short("parts", total_steps=60, **options)
    short("parts", resume=True, **options)
    short("whole", threads=3, **options)
    assert results(tmp_path / "parts")[1] == results(tmp_path / "whole")[1]


def test_a_number_is_the_kernels():
    assert threads_of(threads=3) == (1, 3)
    assert threads_of(threads=3, agent="gru", mixer="vdn", td_lambda=0.5, optimizer="rmsprop") == (1, 3)


@pytest.mark.parametrize("options", [{"mixer": "qplex"}, {"backend": "reference"}, {"agent": OWN}], ids=str)
def test_it_is_torchs_too_where_torch_multiplies(options):
    assert threads_of(threads=3, **options) == (3, 3)
    assert threads_of(**options) == (1, 1)


@pytest.mark.parametrize("hindrance", ["cores", "limit", "learners"])
def test_there_may_be_but_one(hindrance, in_blocks, monkeypatch):
    def refuse(count):
        raise RuntimeError("can't start new thread")

    if hindrance == "limit":
        monkeypatch.setattr(module, "require_threads", refuse)
    if hindrance == "cores":
        monkeypatch.setattr(module, "usable_cores", lambda: 1)
    config = Config(env="two_step")
    learner = Learner(config.create_env().spec, config)
    ranks = Mock(count=2) if hindrance == "learners" else ALONE
    with run_threads(config, learner, ranks, print) as threads:
        for _ in range(50):
            threads.learned(1.0, 1)
            threads.played(1.0, 10)
            assert kernel_threads() == threads.count == 1
    assert not in_blocks


def test_rounds_are_measured_whole():
    choice = Mock(count=2, taken=1)
    with kernel_threads_of(1):
        threads = Threads(choice)
        threads.learned(2.0, 3)
        threads.played(0.5, 40)
        assert (kernel_threads(), threads.count) == (2, 1)
        threads.played(0.25, 20)
    works = [call.args[0] for call in choice.add.call_args_list]
    assert works == [Work(2.0, 3, 0.5, 40), Work(0.0, 0, 0.25, 20)]


def test_native_episodes_have_those_of_the_kernels():
    config = Config(env="lbf", threads=1)
    spec = config.create_env().spec
    rollout = create_rollout(config, Learner(spec, config).agent, 0, Stream.ENVIRONMENT, 1)
    for count in (1, 3):
        with kernel_threads_of(count):
            rollout.play(0, 6, 1.0)
            assert rollout.threads_used == count


@pytest.mark.parametrize("value", ["many", "", 0, -1, 1.5, True, None, 2_000])
def test_what_is_no_number_of_threads(value, tiny_config):
    with pytest.raises(ConfigError, match="threads: expected "):
        tiny_config(threads=value)
