"""Whole training loops, in turn: without Ray, and on a cluster with several numbers of rounds ahead.

A block of rounds begins and ends with all rounds ahead played, so that each side plays what it learns from in its
own block.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pyqmix import Config, EpisodeRing, from_preset
from pyqmix.learn.learner import Learner
from pyqmix.play.cluster.training import PlayOnCluster
from pyqmix.play.training import training_rollout
from pyqmix.replay import EpisodeBatch

EPSILON, BLOCKS, SECONDS = 0.3, 5, 1.2
AHEAD = (0, 1, 4)
SPREAD = {"env": "pettingzoo", "task": "mpe2.simple_spread_v3"}
CASES: dict[str, tuple[Config, int]] = {  # and the worker processes without Ray
    "lbf, 8": (from_preset("lbf", num_envs=8, updates_per_episode=0.5), 0),
    "lbf, 64": (from_preset("lbf", num_envs=64, updates_per_episode=0.5), 0),
    "lbf, 256": (from_preset("lbf", num_envs=256, updates_per_episode=0.5), 0),
    "simple_spread, 8": (Config(**SPREAD, num_envs=8, updates_per_episode=0.5), 2),
    "simple_spread, 64": (Config(**SPREAD, num_envs=64, updates_per_episode=0.5), 2),
    "smax 3m, 8": (from_preset("smax", task="3m", num_envs=8), 0),
    "smax 3m, 64": (from_preset("smax", task="3m", num_envs=64), 0),
}


@dataclass
class Side:
    """A training loop of its own.

    Attributes:
        config: its options.
        rates: environment steps/s of each block so far.
        shares: of each block's time that the learner's thread spent on transport.
        busy: the CPU time of this process in each block, over its time.
    """

    config: Config
    rates: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        config, spec = self.config, self.config.create_env().spec
        self.learner = Learner(spec, config)
        local = config.rollout == "local"
        ring = EpisodeRing(spec, config.buffer_size, shared=local and config.num_workers > 0)
        self.rollout, self.sampler = training_rollout(config, spec, self.learner.agent, ring), ring.sampler(0)
        self.batch = EpisodeBatch.empty(spec, config.batch_size)
        self.episodes, self.due, self.losses = 0, 0.0, list[float]()
        while self.episodes < config.batch_size:
            self._play()
        self.due = 0.0

    def rounds(self, count: int) -> float:
        """Play and learn; return the seconds."""
        pool = self.rollout.pool if isinstance(self.rollout, PlayOnCluster) else None
        transport, busy, start = pool.transport_seconds if pool else 0.0, time.process_time(), time.perf_counter()
        steps = 0
        for _ in range(count):
            self.rollout.start(self.episodes, self.config.num_envs, EPSILON)
            while self.due >= 1.0:
                batch = self.sampler.sample(self.config.batch_size, out=self.batch)
                self.losses.append(float(self.learner.update(batch).loss))
                self.due -= 1.0
            steps += self._play()
        self.rollout.settle()
        seconds = time.perf_counter() - start
        self.rates.append(steps / seconds)
        self.shares.append((pool.transport_seconds - transport) / seconds if pool else 0.0)
        self.busy.append((time.process_time() - busy) / seconds)
        return seconds

    def _play(self) -> int:
        played = self.rollout.play(self.episodes, self.config.num_envs, EPSILON)
        self.episodes += self.config.num_envs
        self.due += self.config.updates_due(self.config.num_envs)
        return played.steps


def compare(config: Config, workers: int, address: str, blocks: int = BLOCKS) -> dict[str, Side]:
    """Train by all sides in turns, and check that those without rounds ahead do the same."""
    sides = {"local": Side(config.replace(num_workers=workers))}
    for ahead in AHEAD:
        on_ray = config.replace(rollout="ray", num_workers=2, ray_address=address, max_staleness=ahead)
        sides[f"ray, {ahead} ahead"] = Side(on_ray)
    rounds = max(4, round(4 * SECONDS / sides["local"].rounds(4)))
    for side in sides.values():
        side.rounds(4 if side is not sides["local"] else 1)
        side.rates.clear(), side.shares.clear(), side.busy.clear()
    names = list(sides)
    for k in range(blocks):
        for name in names[k % len(names) :] + names[: k % len(names)]:
            sides[name].rounds(rounds)
    same = min(len(sides["local"].losses), len(sides["ray, 0 ahead"].losses))
    assert sides["local"].losses[:same] == sides["ray, 0 ahead"].losses[:same]
    for side in sides.values():
        side.rollout.close()
    return sides


def quartiles(values: Sequence[float]) -> list[float]:
    """Return the lower quartile, the median and the upper quartile."""
    return [float(each) for each in np.quantile(values, [0.25, 0.5, 0.75])]


def row(name: str, sides: dict[str, Side]) -> tuple[list[str], dict[str, Any]]:
    """Return the cells of a table, and the data."""
    cells, data = [name], {}
    for side, each in sides.items():
        low, middle, high = quartiles(each.rates)
        cells.append(f"{middle:,.0f} ({low:,.0f}-{high:,.0f})")
        data[side] = {"steps_per_second": each.rates, "transport": each.shares, "cpu": each.busy}
    cells += [f"{100 * float(np.median(sides[side].shares)):.1f} %" for side in list(sides)[1:]]
    return cells, data
