"""Environments that worker processes can import, and that fail as they are told."""

import ctypes
import os
import signal
import sys
import time
import uuid
from pathlib import Path

import gymnasium
import numpy as np
from gymnasium import spaces


class Walk(gymnasium.Env):
    """Two agents on a random walk of random length; in the second step of one episode something goes wrong.

    Args:
        fault: "raise", "exit", "kill", which ends the process, "hang", or "hold the GIL", which hangs while no
            thread of Python can run; "build" hangs in the constructor.
        seed: of the reset that starts that episode.
        marker: a file that the fault leaves behind, and that keeps it from happening again; None: it always does.
        builder: the process that may build a faulty one.
        built: a folder in which each object that is made leaves a file; None: they leave none.
        closed: the same for each one that is closed.
    """

    observation_space = spaces.Tuple([spaces.Box(-1000, 1000, (3,), np.float32)] * 2)
    action_space = spaces.Tuple([spaces.Discrete(3)] * 2)

    def __init__(self, fault=None, seed=None, marker=None, built=None, builder=None, closed=None):
        self.fault, self.faulty_seed, self.marker = fault, seed, marker and Path(marker)
        self.closed = closed
        if built:
            (Path(built) / uuid.uuid4().hex).write_text(str(os.getpid()))
        if fault == "build" and os.getpid() != builder:
            time.sleep(60)

    def reset(self, *, seed=None, options=None):
        self.seed, self.steps, self.random = seed, 0, np.random.default_rng(seed)
        self.length = self.random.integers(3, 9)
        return self._observe(), {}

    def step(self, actions):
        self.steps += 1
        if self.steps == 2 and self.seed == self.faulty_seed and not (self.marker and self.marker.exists()):
            self._fail()
        reward = float(actions[0] + 3 * actions[1] + self.random.integers(10))
        return self._observe(), reward, bool(self.steps == self.length), False, {}

    def close(self):
        if self.closed:
            (Path(self.closed) / uuid.uuid4().hex).touch()

    def _fail(self):
        if self.marker:
            self.marker.touch()
        if self.fault == "raise":
            raise RuntimeError("the simulator fell over")
        if self.fault == "exit":
            sys.exit(0)
        if self.fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fault == "hang":
            time.sleep(60)
        if self.fault == "hold the GIL":
            ctypes.PyDLL(None).sleep(60)

    def _observe(self):
        return tuple(self.random.integers(-9, 10, (2, 3)).astype(np.float32))


gymnasium.register("Walk-v0", Walk, max_episode_steps=9)
