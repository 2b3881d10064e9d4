"""A tiny finished run, environments that fail, and the console commands."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from pyqmix import Config, train

TINY = {
    **{"env": "two_step", "total_steps": 300, "batch_size": 8, "buffer_size": 64, "target_update": 10},
    **{"eval_every": 100, "eval_episodes": 4, "log_every": 50, "checkpoint_every": 200},
    **{"hidden_dim": 8, "embed_dim": 4, "hypernet_dim": 8, "threads": 1},
}


@pytest.fixture(autouse=True)
def _one_thread():
    """Torch's threads wait busily for each other: beside other work, two are slower than one."""
    torch.set_num_threads(1)


@pytest.fixture
def at_simd_level(tmp_path):
    """Run a program at a SIMD level, where the source tree cannot shadow the package; return what it prints."""

    def run(level, program):
        check = f"import pyqmix; assert pyqmix.build_info()['simd'] == {level!r}\n"
        run = subprocess.run(
            [sys.executable, "-c", check + program],
            cwd=tmp_path,
            env={**os.environ, "PYQMIX_SIMD": level},
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode and f"does not support {level}" in run.stderr:
            pytest.skip(f"this CPU or build has no {level}: not run")
        assert run.returncode == 0, run.stderr
        return run.stdout

    return run


class Outcome(NamedTuple):
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def tiny_config():
    """Make a Config of a run that takes a moment: 150 episodes of two steps."""

    def make(**options):
        return Config(**{**TINY, **options})

    return make


@pytest.fixture(scope="session")
def tiny_run(tiny_config, tmp_path_factory):
    """The folder of a finished run; a test that changes it takes a copy."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    train(tiny_config(run_dir=str(folder)), quiet=True)
    return folder


@pytest.fixture
def command(tmp_path):
    """Start a console command in a temporary folder, where the source tree cannot shadow the package."""
    started = []

    def start(name, *arguments):
        started.append(
            subprocess.Popen(
                [Path(sys.executable).parent / name, *arguments],
                cwd=tmp_path,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def run_command(command):
    """Run a console command to its end."""

    def run(name, *arguments):
        process = command(name, *arguments)
        stdout, stderr = process.communicate()
        return Outcome(process.returncode, stdout, stderr)

    return run


class FaultyEnv(gymnasium.Env):
    """Two agents, episodes of three steps; in the second step of one episode something goes wrong."""

    def __init__(self, fault, episode):
        self.observation_space = spaces.Tuple([spaces.Box(-1, 1, (3,), np.float32)] * 2)
        self.action_space = spaces.Tuple([spaces.Discrete(2)] * 2)
        self.fault, self.faulty_episode = fault, episode
        self.episode, self.steps = -2, 0  # the adapter resets it once to see its sizes

    def reset(self, *, seed=None, options=None):
        self.episode, self.steps = self.episode + 1, 0
        return self.observe(), {}

    def step(self, actions):
        self.steps += 1
        obs, reward = self.observe(), 1.0
        if (self.episode, self.steps) == (self.faulty_episode, 2):
            match self.fault:
                case "raise":
                    raise RuntimeError("the simulator\nfell over")
                case "reward":
                    reward = float("nan")
                case "observation":
                    obs[1][2] = np.inf
                case "shape":
                    obs = (obs[0], obs[1][:2])
                case "dtype":
                    obs = (obs[0], obs[1].astype(np.float64))
        return obs, reward, self.steps == 3, False, {}

    def observe(self):
        return tuple(np.full(3, self.steps / 3, np.float32) for _ in range(2))


@pytest.fixture
def faulty_task():
    """Register a FaultyEnv and tell its id."""
    registered = []

    def register(fault, episode=0):
        name = f"Faulty-{fault}{episode}-v0"
        gymnasium.register(name, FaultyEnv, max_episode_steps=5, kwargs={"fault": fault, "episode": episode})
        registered.append(name)
        return name

    yield register
    for name in registered:
        gymnasium.registry.pop(name)
