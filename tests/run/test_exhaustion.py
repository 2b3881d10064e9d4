"""A run that uses up memory, threads or processes ends in one line; its checkpoint holds what it has learned."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from pyqmix import train
from pyqmix.base.errors import ResourceError
from pyqmix.base.free_memory import Free
from pyqmix.cli import train as command
from pyqmix.learn import network_memory
from pyqmix.learn.learner import Learner


def exhaust_at(monkeypatch, number):
    update = Learner.update

    def updated(learner, *arguments):
        if learner.updates == number:
            torch.empty(2**60, dtype=torch.uint8)
        return update(learner, *arguments)

    monkeypatch.setattr(Learner, "update", updated)


def test_a_run_that_runs_out_of_memory_keeps_what_it_has_learned(tiny_config, tmp_path, monkeypatch):
    config = tiny_config(run_dir=str(tmp_path / "run"))
    with monkeypatch.context() as patch, pytest.raises(MemoryError, match=r"^out of memory: .* lower batch_size"):
        exhaust_at(patch, 20)
        train(config, quiet=True)
    assert list((tmp_path / "run" / "checkpoints").iterdir())
    assert train(config, resume=True, quiet=True).summary["total_steps"] >= config.total_steps


def test_the_command_ends_in_one_line(tmp_path, monkeypatch, capsys):
    exhaust_at(monkeypatch, 0)
    options = ["--env", "two_step", "--batch-size", "4", "--buffer-size", "64", "--run-dir", str(tmp_path / "run")]
    monkeypatch.setattr(sys, "argv", ["pyqmix-train", *options])
    with pytest.raises(SystemExit) as stop:
        command.main()
    (line,) = capsys.readouterr().err.splitlines()
    assert stop.value.code == 2
    assert line.startswith(
        "pyqmix-train: error: out of memory: 1152921504606846976 bytes more could not be allocated"
    )


def test_threads_that_cannot_run_are_refused_before_anything_is_written(tiny_config, tmp_path, monkeypatch):
    def start(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(ResourceError, match=r"can't start new thread.*: lower threads"):
        train(tiny_config(run_dir=str(tmp_path / "run"), threads=64), quiet=True)
    assert not (tmp_path / "run").exists()


def test_networks_beyond_memory_are_refused_with_the_arithmetic(tiny_config, monkeypatch):
    wide = tiny_config(hypernet_dim=1_024)
    networks = Learner(wide.create_env().spec, wide).networks
    needed = 6 * 4 * sum(p.numel() for p in networks.flat.parameters)
    monkeypatch.setattr(network_memory, "free_memory", lambda: Free(needed))
    network_memory.require_network_memory(wide, wide.create_env().spec)
    monkeypatch.setattr(network_memory, "free_memory", lambda: Free(needed - 1))
    expected = (
        rf"^networks: {needed // 24:,} parameters x 6 copies .* = .* MiB are free; lower hidden_dim, embed_dim or"
    )
    state = torch.get_rng_state()
    with pytest.raises(MemoryError, match=expected):
        network_memory.require_network_memory(wide, wide.create_env().spec)
    assert torch.equal(torch.get_rng_state(), state)


PIDS = Path("/sys/fs/cgroup/pids")


@pytest.fixture
def group_of_30_tasks(tmp_path):
    """A control group with at most 30 threads and processes."""
    group = PIDS / tmp_path.name
    try:
        group.mkdir()
        (group / "pids.max").write_text("30")
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    yield group
    group.rmdir()


@pytest.mark.slow
def test_more_threads_than_the_system_starts(group_of_30_tasks, tmp_path):
    command = [
        Path(sys.executable).parent / "pyqmix-train",
        "--env",
        "lbf",
        "--threads",
        "100",
        "--num-envs",
        "200",
    ]
    ended = subprocess.run(
        ["sh", "-c", f'echo $$ > {group_of_30_tasks}/cgroup.procs && exec "$@"', "sh", *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2, ended
    assert "pyqmix-train: error: the system starts no further thread or process" in ended.stderr.splitlines()[-1]
    assert not list(tmp_path.rglob("config.json"))
