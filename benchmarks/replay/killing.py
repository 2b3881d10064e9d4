"""Replay buffers whose processes are killed: the buffers, their processes, and a trial.

Four processes add episodes and one samples. All numbers of an episode are the same one, so one that is not whole
shows. A process is killed with SIGKILL at a random moment and replaced; then each of the five must get something
done, or the buffer hangs. Time decides when a process is killed and how long is waited, never what is right.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.forkserver import ensure_running
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pyqmix import EpisodeRing
from pyqmix.base.spec import EpisodeSpec
from pyqmix.replay import EpisodeBatch

# Every process begins clean and at once: the server's fork has no threads, and has imported all of this.
CONTEXT = multiprocessing.get_context("forkserver")
IMPORTED = ["pyqmix.replay", "matplotlib.figure", "cpprb"]
CONTEXT.set_forkserver_preload(IMPORTED)

WRITERS, CAPACITY, BATCH = 4, 5_000, 32
SPEC = EpisodeSpec(2, 6, 15, 30, 51, concat_state=True)  # of Level-Based Foraging's size
OBS, REWARDS = (SPEC.episode_limit + 1, SPEC.n_agents, SPEC.obs_dim), (SPEC.episode_limit,)
LONGEST_LIFE = 0.02  # seconds, from the moment that all processes work to the next kill
LONGEST_START = 60.0  # seconds, before a process touches the buffer
Floats = NDArray[np.float32]


class Buffer(Protocol):
    """A buffer that other processes are handed; each makes its own end of it."""

    def adder(self) -> Callable[[float], object]:
        """Return what adds an episode of one number."""

    def sampler(self) -> Callable[[], tuple[Floats, Floats]]:
        """Return what samples observations (B, T+1, n, O) and rewards (B, T)."""


class Ring:
    """Ours."""

    def __init__(self) -> None:
        self.ring = EpisodeRing(SPEC, CAPACITY, shared=True)

    def adder(self) -> Callable[[float], object]:
        """Write whole episodes."""
        writer, obs, rewards = self.ring.writer(), np.empty(OBS, np.float32), np.empty(REWARDS, np.float32)
        avail = np.ones((*OBS[:2], SPEC.n_actions), np.bool_)
        actions, terminated = np.zeros((*REWARDS, SPEC.n_agents), np.int64), np.zeros(REWARDS, np.bool_)

        def add(number: float) -> None:
            obs.fill(number)
            rewards.fill(number)
            with writer.episode() as slot:
                slot.write(obs, avail, None, actions, rewards, terminated)

        return add

    def sampler(self) -> Callable[[], tuple[Floats, Floats]]:
        """Sample into memory that is used again."""
        sampler, out = self.ring.sampler(0), EpisodeBatch.empty(SPEC, BATCH)

        def sample() -> tuple[Floats, Floats]:
            batch = sampler.sample(BATCH, out=out)
            return batch.obs.numpy(), batch.rewards.numpy()

        return sample


class Bare:
    """Shared memory and nothing else: shows that a torn episode would be seen."""

    def __init__(self) -> None:
        sizes = [CAPACITY * int(np.prod(shape)) for shape in (OBS, REWARDS)]
        self.memory = [CONTEXT.RawArray(ctypes.c_float, size) for size in sizes]

    def fields(self) -> tuple[Floats, Floats]:
        """Return all observations and all rewards."""
        obs, rewards = (np.frombuffer(field, np.float32).reshape(CAPACITY, -1) for field in self.memory)
        return obs.reshape(CAPACITY, *OBS), rewards

    def adder(self) -> Callable[[float], object]:
        """Write anywhere."""
        (obs, rewards), random = self.fields(), np.random.default_rng()

        def add(number: float) -> None:
            row = random.integers(CAPACITY)
            obs[row] = number
            rewards[row] = number

        return add

    def sampler(self) -> Callable[[], tuple[Floats, Floats]]:
        """Read anywhere."""
        (obs, rewards), random = self.fields(), np.random.default_rng()

        def sample() -> tuple[Floats, Floats]:
            rows = random.integers(CAPACITY, size=BATCH)
            return obs[rows], rewards[rows]

        return sample


class Told:
    """What the processes tell; each number has one process at a time that writes it."""

    def __init__(self) -> None:
        self.begun = CONTEXT.RawArray(ctypes.c_bool, WRITERS + 1)
        self.done = CONTEXT.RawArray(ctypes.c_long, WRITERS + 1)  # episodes of each writer; batches
        self.torn = CONTEXT.RawArray(ctypes.c_long, 1)


def torn_episodes(obs: Floats, rewards: Floats) -> int:
    """Count the episodes (B, ...) that do not consist of one number."""
    whole = np.concatenate([obs.reshape(len(obs), -1), rewards], axis=1)
    return int((whole != whole[:, :1]).any(axis=1).sum())


def add_forever(buffer: Buffer, told: Told, place: int) -> None:
    """Be a writer."""
    add = buffer.adder()
    while True:
        add(float((told.done[place] * WRITERS + place) % 2**20))
        told.done[place] += 1


def sample_forever(buffer: Buffer, told: Told, place: int) -> None:
    """Be the sampler."""
    sample = buffer.sampler()
    while True:
        told.torn[0] += torn_episodes(*sample())
        told.done[place] += 1


def add_some(buffer: Buffer, count: int) -> None:
    """Add so many episodes."""
    add = buffer.adder()
    for number in range(count):
        add(float(number))


def sample_once(buffer: Buffer) -> None:
    """Sample a batch."""
    buffer.sampler()()


@dataclass(frozen=True)
class Outcome:
    """What became of one buffer.

    Attributes:
        kills: until it hung, or all.
        batches: that were sampled.
        torn: episodes in them that were not whole.
        hung: whose death it did not survive, "writer" or "sampler"; None if it never hung.
        writable: whether at the end, with all processes dead, a new one could add an episode.
        readable: whether then a new one could sample.
    """

    kills: int
    batches: int
    torn: int
    hung: str | None
    writable: bool
    readable: bool


def trial(make: Callable[[], Buffer], kills: int, seed: int, patience: float, calm: float = 0.0) -> Outcome:
    """Kill processes of one buffer, one after another, until all kills are done or it hangs.

    Args:
        make: the buffer.
        kills: at most; the five that end the trial come on top.
        seed: of the moments and the victims.
        patience: seconds without progress of a process that are taken for a hang.
        calm: seconds without a kill at the beginning.
    """
    _ready_server()
    random, buffer, told = np.random.default_rng(seed), make(), Told()
    if not _ends(LONGEST_START, add_some, buffer, CAPACITY):
        raise RuntimeError("the buffer could not be filled")

    def start(place: int) -> BaseProcess:
        body = add_forever if place < WRITERS else sample_forever
        return _start(told, place, body, buffer, told, place)

    processes = [start(place) for place in range(WRITERS + 1)]
    killed, hung = 0, None
    try:
        if not _all_get_on(told, patience):
            raise RuntimeError("the processes did not begin to work")
        time.sleep(calm)
        while killed < kills and hung is None:
            time.sleep(random.random() * LONGEST_LIFE)
            place = int(random.integers(len(processes)))
            _kill(processes[place])
            killed += 1
            processes[place] = start(place)
            if not _all_get_on(told, patience):
                hung = "writer" if place < WRITERS else "sampler"
    finally:
        for process in processes:
            _kill(process)
    writable, readable = _ends(patience, add_some, buffer, 1), _ends(patience, sample_once, buffer)
    return Outcome(killed, told.done[WRITERS], told.torn[0], hung, writable, readable)


def _ready_server() -> None:
    """Start the server outside the source tree, where it would import a package without a compiled module."""
    here = Path.cwd()
    os.chdir("/")
    try:
        ensure_running()
    finally:
        os.chdir(here)


def _start(told: Told, place: int, body: Callable[..., None], *arguments: object) -> BaseProcess:
    """Start a process; it has not touched the buffer before this returns, but is about to."""
    told.begun[place] = False
    process = CONTEXT.Process(target=_begin, args=(told, place, body, *arguments), daemon=True)
    process.start()
    deadline = time.monotonic() + LONGEST_START
    while not told.begun[place]:
        if time.monotonic() > deadline:
            raise RuntimeError("a process did not begin")
        time.sleep(0.001)
    return process


def _begin(told: Told, place: int, body: Callable[..., None], *arguments: object) -> None:
    told.begun[place] = True
    body(*arguments)


def _all_get_on(told: Told, patience: float) -> bool:
    """Whether each process gets something done, soon."""
    before, deadline = list(told.done), time.monotonic() + patience
    while time.monotonic() < deadline:
        if all(now > then for now, then in zip(told.done, before, strict=True)):
            return True
        time.sleep(0.001)
    return False


def _kill(process: BaseProcess) -> None:
    process.kill()
    process.join()
    if process.exitcode != -9:
        raise RuntimeError(f"a process ended by itself, with exit code {process.exitcode}")


def _ends(patience: float, body: Callable[..., None], *arguments: object) -> bool:
    """Whether a process of its own does this, soon."""
    process = _start(Told(), 0, body, *arguments)
    process.join(patience)
    if process.exitcode is None:
        _kill(process)
    return process.exitcode == 0
