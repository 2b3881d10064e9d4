"""How fast are episodes of Python environments, in this process and in worker processes?

Whole episodes with a 64-64 MLP at ε = 0.05 into the ring, 16 environments in all: one process, one worker, two
workers. The three play the same episodes in turns; only lbforaging's episodes differ, because its reset depends on
where the players stood before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import harness
import numpy as np
import torch

from pyqmix import Config, EpisodeRing
from pyqmix.base.seeding import Stream
from pyqmix.learn.learner import Learner
from pyqmix.play.create import AnyRollout, create_rollout

NUM_ENVS, ROUNDS = 16, 9
WAYS = {"in the trainer": 0, "1 worker": 1, "2 workers": 2}


@dataclass(frozen=True)
class Case:
    """An environment, and how many of its episodes a repetition plays.

    Attributes:
        independent: an episode depends on its seed and actions alone.
    """

    env: str
    task: str
    episodes: int
    options: tuple[tuple[str, Any], ...] = ()
    independent: bool = True

    @property
    def config(self) -> Config:
        """Return the options of its runs."""
        return Config(env=self.env, task=self.task, num_envs=NUM_ENVS, **dict(self.options))


CASES = {
    "lbforaging 8x8-2p-3f": Case("gymnasium", "Foraging-8x8-2p-3f-v3", 64, independent=False),
    "mpe2 simple_spread_v3": Case("pettingzoo", "mpe2.simple_spread_v3", 64),
    "rware-tiny-2ag-v2": Case("rware", "rware-tiny-2ag-v2", 32, (("episode_limit", 100),)),
}


def rollouts(config: Config) -> dict[str, AnyRollout]:
    """Build what plays in each way, all with the same weights."""
    env = config.create_env()
    env.close()
    agent = Learner(env.spec, config).agent
    return {
        name: create_rollout(
            config,
            agent,
            0,
            Stream.ENVIRONMENT,
            NUM_ENVS,
            EpisodeRing(env.spec, 256, shared=True),
            num_workers,
        )
        for name, num_workers in WAYS.items()
    }


def measure(case: Case) -> tuple[list[str], dict[str, Any]]:
    """Check that all ways give the same, and time them; steps/s of each round, as their numbers may differ."""
    ways = rollouts(case.config)
    if case.independent:
        first = [way.play(0, case.episodes, 0.05).returns.tolist() for way in ways.values()]
        assert first[0] == first[1] == first[2]
    steps: dict[str, list[int]] = {name: [] for name in ways}

    def play(name: str) -> Callable[[], object]:
        return lambda: steps[name].append(ways[name].play(0, case.episodes, 0.05).steps)

    times = harness.interleave({name: play(name) for name in ways}, ROUNDS)
    for way in ways.values():
        way.close()
    rates = {name: np.divide(steps[name][-ROUNDS:], timing.seconds) for name, timing in times.items()}
    quartiles = {name: np.quantile(each, [0.25, 0.5, 0.75]).tolist() for name, each in rates.items()}
    one, two, here = rates["1 worker"], rates["2 workers"], rates["in the trainer"]
    ratios = {"1 worker": float(np.median(two / one)), "in the trainer": float(np.median(two / here))}
    cells = [f"{median:,.0f} ({low:,.0f}-{high:,.0f})" for low, median, high in quartiles.values()]
    data = {"steps_per_second_quartiles": quartiles, "two_workers_over": ratios}
    return [*cells, *(f"{ratio:.2f}" for ratio in ratios.values())], data


def main() -> None:
    """Measure every environment."""
    torch.set_num_threads(1)
    rows, data = [], {}
    for name, case in CASES.items():
        row, data[name] = measure(case)
        rows.append([name, *row])
    text = f"Environment steps/s of whole episodes, {NUM_ENVS} environments in all: median (quartiles).\n"
    text += "The ratios are medians over rounds.\n\n"
    text += harness.table(["environment", *WAYS, "2 workers / 1 worker", "2 workers / trainer"], rows)
    harness.report("workers", text, data, "python benchmarks workers")
