"""Sweeps of short runs, by the command itself."""

import subprocess
import sys
import time
from pathlib import Path

from pyqmix.figures.folders import find_runs
from pyqmix.sweep.status import read_status

OPTIONS = "env: two_step\ntotal_steps: 300\nbatch_size: 8\nhidden_dim: 8\nhypernet_dim: 8\neval_episodes: 4\n"
PROGRAM = Path(sys.executable).with_name("pyqmix-sweep")


def start(folder, *arguments):
    return subprocess.Popen(
        [PROGRAM, *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for(condition, seconds=100):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def states(folder):
    return sorted(read_status(run).state for run in find_runs(folder)) if folder.exists() else []


def as_options():
    pairs = (line.split(": ") for line in OPTIONS.splitlines())
    return [f"--{name.replace('_', '-')}={value}" for name, value in pairs]
