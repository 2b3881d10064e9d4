"""What do two cores bring: threads inside the training step, and episodes beside it?

The published schedule on Level-Based Foraging: an episode at epsilon 0.5, then one training step on 32 episodes.
Natively played, and by lbforaging in one worker process. All sides begin with the same training step.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import Any

import harness
import numpy as np
import torch
from training.train_parts import EPISODES, TASKS

from pyqmix import Config, EpisodeRing
from pyqmix.learn.learner import Learner
from pyqmix.play.training import training_rollout
from pyqmix.replay import EpisodeBatch

SECONDS, EPSILON = 2.5, 0.5  # of each side
SIDES = {  # cores, threads, overlap
    "one core": (1, 1, False),
    "2 threads": (2, 2, False),
    "overlap": (2, 1, True),
    "overlap, 2 threads": (2, 2, True),
}
PLAYED = {"native": {}, "one worker": {"env": "gymnasium", "num_workers": 1}}


@dataclass
class Side:
    """A training loop of its own, and where its threads may run.

    Attributes:
        cores: how many.
        config: its options.
        seconds, steps, losses: of each round so far.
    """

    cores: int
    config: Config
    seconds: list[float] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    losses: list[torch.Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._place()
        config = self.config
        spec = config.create_env().spec
        self.learner = Learner(spec, config)
        ring = EpisodeRing(spec, config.buffer_size, shared=config.num_workers > 0)
        self.rollout, self.sampler = training_rollout(config, spec, self.learner.agent, ring), ring.sampler(0)
        self.batch = EpisodeBatch.empty(spec, EPISODES)
        for process in getattr(self.rollout._rollout, "processes", ()):
            os.sched_setaffinity(process, os.sched_getaffinity(0))
        for k in range(2 * EPISODES):
            self.rollout.play(k, 1, EPSILON)
        self.episodes = 2 * EPISODES

    def round(self) -> None:
        """Learn, beside which or behind which the next episode is played."""
        self._place()
        start = time.perf_counter()
        following = (self.episodes, 1, EPSILON)
        self.rollout.start(*following)
        loss = self.learner.update(self.sampler.sample(EPISODES, out=self.batch)).loss
        self.rollout.wait()
        played = self.rollout.play(*following)
        self.seconds.append(time.perf_counter() - start)
        self.steps.append(played.steps)
        self.losses.append(loss)
        self.episodes += 1

    def _place(self) -> None:
        os.sched_setaffinity(0, set(sorted(CORES)[-self.cores :]))  # of this thread, and of those that it starts
        torch.set_num_threads(self.config.threads)


CORES = os.sched_getaffinity(0)


def compare(agent: str, hidden: int, played: dict[str, Any]) -> dict[str, Side]:
    """Train by all sides in turns, and check that they begin alike."""
    sides = {}
    for name, (cores, threads, overlap) in SIDES.items():
        options = {"task": TASKS[2], "agent": agent, "hidden_dim": hidden, "eps_end": 0.05, **played}
        sides[name] = Side(cores, Config(**options, threads=threads, overlap=overlap))
    while sum(sum(side.seconds) for side in sides.values()) < SECONDS * len(sides):
        for side in sides.values():
            side.round()
    for side in sides.values():
        torch.testing.assert_close(side.losses[0], sides["one core"].losses[0], rtol=1e-5, atol=0)
        side.rollout.close()
    return sides


def main() -> None:
    """Measure, then write."""
    if len(CORES) < 2:
        raise SystemExit("benchmark overlap: expected two cores, got one")
    rows, data = [], {}
    for agent, hidden in (("mlp", 64), ("gru", 64)):
        for name, played in PLAYED.items():
            sides = compare(agent, hidden, played)
            rates = {side: np.sum(s.steps) / np.sum(s.seconds) for side, s in sides.items()}
            first = sides["one core"].seconds
            gains = [float(np.median(np.divide(first, sides[side].seconds))) for side in list(SIDES)[1:]]
            rows.append([f"{agent} {hidden}, {name}", *(f"{rate:,.0f}" for rate in rates.values())])
            rows[-1] += [f"{gain:.2f}" for gain in gains]
            data[rows[-1][0]] = {side: [round(t, 6) for t in s.seconds] for side, s in sides.items()}
            print(*rows[-1], flush=True)
    os.sched_setaffinity(0, CORES)
    torch.set_num_threads(1)
    text = f"{TASKS[2]}, batch {EPISODES}, an episode at epsilon {EPSILON} and a training step in turn or side by "
    text += "side: environment steps/s, each at 1 training step an episode (0.02 for each environment step where "
    text += "episodes last 50 steps); and how many times faster a round is than on one core, median over rounds. "
    text += "One worker plays lbforaging in a process of its own.\n\n"
    header = ["agent, hidden, played by", *SIDES, *(f"{side} / one core" for side in list(SIDES)[1:])]
    harness.report("overlap", text + harness.table(header, rows), {"seconds": data}, "python benchmarks overlap")
