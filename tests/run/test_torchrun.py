"""Several learners of one run, as processes that torchrun starts and that talk by gloo."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import worker_envs
from rank_threads import train_in_step
from run_files import metrics, results

from pyqmix import Config, from_preset, train
from pyqmix.run import checkpoint

pytestmark = pytest.mark.slow

TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
COMMAND = str(Path(sys.executable).parent / "pyqmix-train")
OPTIONS = {
    **{"total_steps": 60_000, "eval_every": 20_000, "eval_episodes": 11, "log_every": 5_000, "device": "cpu"},
    **{"checkpoint_every": 5_000, "keep_checkpoints": 99, "hidden_dim": 16},
}
FLAGS = [word for name, value in OPTIONS.items() for word in (f"--{name.replace('_', '-')}", str(value))]
PATH = os.pathsep.join([os.path.dirname(worker_envs.__file__), os.environ.get("PYTHONPATH", "")])


def start(folder, *words):
    """Start two processes in a folder; their standard error follows the output."""
    return subprocess.Popen(
        [*TORCHRUN, *words],
        cwd=folder,
        env=os.environ | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1", "PYTHONPATH": PATH},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def ended(process, seconds=240):
    """The output of a process that ends by itself; none of it is left behind."""
    try:
        return process.communicate(timeout=seconds)[0]
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def wait_for(folder, process, count=1):
    """Wait until both learners of a run have checkpoints of a number of steps."""
    until, folders = time.monotonic() + 120, (folder, folder / "learners/1")
    while not all(len([*path.glob("checkpoints/step_*[0-9]/progress.json")]) >= count for path in folders):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.01)


def learner(process, rank):
    """The process id of a rank."""
    for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        if f"RANK={rank}" in Path(f"/proc/{child}/environ").read_text().split("\0"):
            return int(child)
    raise AssertionError("no such rank")


def test_a_run_that_was_stopped_and_killed_goes_on_to_the_bits_of_one_that_was_not(tmp_path, monkeypatch):
    whole = from_preset("lbf-fast", run_dir=str(tmp_path / "whole"), **OPTIONS)
    train_in_step(monkeypatch, 2, lambda: train(whole, quiet=True))

    process = start(tmp_path, COMMAND, "--preset", "lbf-fast", "--env", "lbf", "--run-dir", "run", *FLAGS)
    wait_for(tmp_path / "run", process)
    process.send_signal(signal.SIGTERM)
    said = ended(process)
    assert "continue with: torchrun --nproc-per-node 2 $(which pyqmix-train) --resume run" in said
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert summary["interrupted"]
    assert summary["total_steps"] < 60_000
    folders = [tmp_path / "run", tmp_path / "run/learners/1"]
    assert {checkpoint.find(folder).name for folder in folders} == {f"step_{summary['total_steps']}"}

    before = len(checkpoint.folders(folders[1]))
    process = start(tmp_path, "--max-restarts", "1", COMMAND, "--resume", "run")
    wait_for(tmp_path / "run", process, before + 1)
    os.kill(learner(process, 1), signal.SIGKILL)  # torchrun starts both again
    said = ended(process)
    assert process.returncode == 0, said
    assert said.count("resumed at step") == 2
    assert "2 learners: each plays 16 of the 32 episodes of a round" in said
    assert results(tmp_path / "run") == results(tmp_path / "whole")


@pytest.mark.parametrize("rank", [0, 1])
def test_the_end_of_a_learner_ends_the_others_with_a_sentence(tmp_path, rank):
    process = start(tmp_path, COMMAND, "--preset", "lbf-fast", "--env", "lbf", "--run-dir", "run", *FLAGS[2:])
    wait_for(tmp_path / "run", process)
    os.kill(learner(process, rank), signal.SIGKILL)
    began = time.monotonic()
    said = ended(process)
    assert time.monotonic() - began < 20
    (line,) = (line for line in said.splitlines() if line.startswith("pyqmix-train: error"))
    assert f"learner {1 - rank} of 2 ends, because another one has ended or cannot be reached" in line
    assert process.returncode == 1
    assert checkpoint.find(tmp_path / "run").is_dir()


def test_workers_play_for_each_learner(tmp_path, monkeypatch):
    options = ("--batch-size", "8", "--buffer-size", "64", "--num-envs", "4", "--hidden-dim", "8")
    walk = ("--env", "gymnasium", "--task", "worker_envs:Walk-v0", "--total-steps", "600", "--run-dir", "run")
    process = start(tmp_path, COMMAND, *walk, *options, "--num-workers", "2")
    said = ended(process)
    assert process.returncode == 0, said
    alone = Config.from_json(tmp_path / "run/config.json", trust=True)
    alone = alone.replace(num_workers=0, run_dir=str(tmp_path / "threads"))
    train_in_step(monkeypatch, 2, lambda: train(alone, quiet=True))
    assert metrics(tmp_path / "run") == metrics(tmp_path / "threads")


SCRIPT = """
import sys
from torch import distributed
from pyqmix import Config, train

if sys.argv[1] == "own":
    distributed.init_process_group("gloo")
for seed in (0, 1):
    config = Config("two_step", total_steps=100, num_envs=2, batch_size=8, buffer_size=64, hidden_dim=8, seed=seed)
    result = train(config.replace(run_dir=f"{sys.argv[1]}{seed}"), quiet=True)
    assert result.summary["learners"] == 2
assert distributed.is_initialized() == (sys.argv[1] == "own")
if sys.argv[1] == "own":
    distributed.barrier()
    distributed.destroy_process_group()
"""


@pytest.mark.parametrize("group", ["own", "none"])
def test_a_script_trains_several_times_in_its_own_group_or_in_none(tmp_path, group):
    (tmp_path / "script.py").write_text(SCRIPT)
    process = start(tmp_path, "script.py", group)
    said = ended(process)
    assert process.returncode == 0, said
    assert all((tmp_path / f"{group}{seed}/learners/1/checkpoints").is_dir() for seed in (0, 1))
