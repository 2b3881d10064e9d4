"""How often do a team that acts at random and one that the enemy's own heuristic leads win battles of SMAX?

1,000 episodes of each map, those that trained policies are evaluated on.
"""

from __future__ import annotations

from collections.abc import Iterator

import harness
import numpy as np

from pyqmix import Config
from pyqmix.base.seeding import Stream, derive_seed
from pyqmix.base.wilson import wilson_interval
from pyqmix.envs.smax import MAPS, SmaxEnv
from pyqmix.learn.learner import Learner
from pyqmix.play.native import NativeRollout

EPISODES, SEED = 1_000, 1_000_000


def by_heuristic(env: SmaxEnv) -> Iterator[tuple[bool, int]]:
    """Play the episodes with the heuristic as ally; yield whether each was won, and its steps."""
    for episode in range(EPISODES):
        seed = derive_seed(SEED, Stream.EVALUATION, episode)
        env.battle.start(seed)
        steps = 0
        while steps == 0 or not env.battle.terminated:
            env.battle.step(env.battle.heuristic_actions((seed & 0xFFFFFFFF, steps)))
            steps += 1
        yield bool(env.battle.won), steps


def cell(won: float) -> str:
    """Write a win rate with its interval."""
    low, high = wilson_interval(won, EPISODES)
    return f"{won:.3f} [{low:.3f}, {high:.3f}]"


def main() -> None:
    """Play every map."""
    rows, data = [], {}
    for task in MAPS:
        env = SmaxEnv(task)
        agent = Learner(env.spec, Config(env="smax", task=task)).agent
        played = NativeRollout(env, agent, SEED, Stream.EVALUATION, None).play(0, EPISODES, 1.0)
        won, steps = zip(*by_heuristic(env), strict=True)
        random, heuristic = float(np.mean(played.won)), float(np.mean(won))
        lengths = played.steps / EPISODES, float(np.mean(steps))
        data[task] = {"random": random, "heuristic": heuristic, "steps": lengths}
        rows.append([task, cell(random), cell(heuristic), *(f"{length:.0f}" for length in lengths)])
    text = f"Win rates over {EPISODES:,} episodes, 95 % intervals, and mean steps of an episode.\n\n"
    header = ["map", "random team", "heuristic team", "steps, random", "steps, heuristic"]
    harness.report("smax_baselines", text + harness.table(header, rows), data, "python benchmarks smax_baselines")
