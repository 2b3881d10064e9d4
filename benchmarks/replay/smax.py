"""How many steps a second do battles of SMAX make, beside the same battles in JAX, on one core?

All agents take random available actions; observations, states and masks of every step are written. Ours
plays whole episodes into a replay buffer, which here stores observations and states, not snapshots. JaxMARL's
environment is stepped by ``lax.scan`` over ``vmap``, compiled beforehand, with XLA's default flags. Before
anything is timed, the mean reward of a step of random play is compared.

The whole training loop is timed too: ``pyqmix-train --env smax`` with its defaults, a short run, by parts.
"""

from __future__ import annotations

import dataclasses
import importlib
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import harness
import numpy as np
import torch

from pyqmix import Config, EpisodeRing, from_preset, train
from pyqmix.base.seeding import Stream
from pyqmix.envs import SmaxEnv
from pyqmix.learn.learner import Learner
from pyqmix.play.native import NativeRollout

ROUNDS = 5
WORLDS = (1, 64, 1024)
MAPS = ("3m", "2s3z", "27m_vs_30m")


class Ours:
    """Episodes of one map, played by :class:`NativeRollout`."""

    def __init__(self, task: str) -> None:
        env = SmaxEnv(task)
        self.units = env.battle.n_units
        spec = dataclasses.replace(env.spec, snapshot=None)
        agent = Learner(env.spec, Config(env="smax", task=task)).agent
        self.rollout = NativeRollout(env, agent, 0, Stream.ENVIRONMENT, EpisodeRing(spec, 32))
        self.first = 0

    def play(self, episodes: int) -> Any:
        """Play the next episodes at random."""
        self.first += episodes
        return self.rollout.play(self.first - episodes, episodes, 1.0)


def jax_side() -> ModuleType:
    """Import JaxMARL's side, or say what it lacks."""
    try:
        return importlib.import_module("replay.smax_jax")
    except ModuleNotFoundError as error:
        sys.exit(f"python benchmarks: error: smax needs {error.name}, which is missing: pip install '.[smax]'")


def check(task: str, ours: Ours, theirs: Any) -> dict[str, float]:
    """Require that the mean rewards of a step of random play differ by 15 % at most; tests compare bits."""
    played = ours.play(512)
    run, _ = theirs(task, 64, 200 if ours.units < 20 else 50)
    rewards, dones = (np.asarray(x) for x in run())
    per_step = {"ours": float(np.sum(played.returns) / played.steps), "jaxmarl": float(rewards.mean())}
    if abs(per_step["ours"] - per_step["jaxmarl"]) > 0.15 * per_step["ours"]:
        raise AssertionError(f"{task}: mean reward a step {per_step}, {int(dones.sum())} episodes of jaxmarl's")
    return per_step


def rates(task: str, theirs: Any) -> dict[str, Any]:
    """Return quartiles of steps/s of ours and of each number of JAX's worlds, and seconds of compiling."""
    ours = Ours(task)
    rewards = check(task, ours, theirs)
    episodes = max(32, 12_000 // ours.units)
    played: list[int] = []
    candidates: dict[str, Callable[[], object]] = {"pyqmix": lambda: played.append(ours.play(episodes).steps)}
    sizes, compiling = {}, {}
    for worlds in WORLDS:
        steps = max(2, 400_000 // (worlds * ours.units**2))
        candidates[str(worlds)], compiling[str(worlds)] = theirs(task, worlds, steps)
        sizes[str(worlds)] = steps * worlds
    times = harness.interleave(candidates, ROUNDS)
    found = {"pyqmix": np.divide(played[-ROUNDS:], times["pyqmix"].seconds)}
    found |= {name: size / np.array(times[name].seconds) for name, size in sizes.items()}
    quartiles = {name: np.quantile(each, [0.25, 0.5, 0.75]).tolist() for name, each in found.items()}
    fastest = np.max([found[name] for name in sizes], axis=0)  # of each round
    ratio = float(np.median(found["pyqmix"] / fastest))
    return {"steps_per_second": quartiles, "compile_seconds": compiling, "ratio": ratio, "reward": rewards}


def training(task: str) -> dict[str, float]:
    """Time a short run with the defaults of ``--env smax``, all of it."""
    config = from_preset(env="smax", task=task, total_steps=30_000, eval_every=10**9, threads=1, seed=0)
    result = train(config)
    keep = ("env_steps_per_second", "wall_seconds", "updates")
    return {name: float(result.summary[name]) for name in keep}


def main() -> None:
    """Measure the three maps."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # before JAX makes its threads
    torch.set_num_threads(1)
    theirs = jax_side().scan
    found = {task: rates(task, theirs) for task in MAPS}
    rows = []
    for task, of_task in found.items():
        cells = [f"{m:,.0f} ({low:,.0f}-{high:,.0f})" for low, m, high in of_task["steps_per_second"].values()]
        compiled = ", ".join(f"{seconds:.0f}" for seconds in of_task["compile_seconds"].values())
        rows.append([task, *cells, f"{of_task['ratio']:.1f}", compiled])
    names = ["map", "pyqmix", *(f"JAX, {worlds:,} world{'s'[: worlds > 1]}" for worlds in WORLDS)]
    text = "Steps/s on one core, random available actions, observations and states included: median (quartiles).\n"
    text += "The ratio is to JAX's best of each round. The last column has the seconds\n"
    text += "of compiling, for 1, 64 and 1,024 worlds.\n\n"
    text += harness.table([*names, "ratio", "compiling"], rows)
    loops = {task: training(task) for task in MAPS}
    text += "\nThe whole training loop of `pyqmix-train --env smax`, 30,000 steps, one core:\n\n"
    text += harness.table(
        ["map", "steps/s", "updates/s"],
        [
            [t, f"{x['env_steps_per_second']:,.0f}", f"{x['updates'] / x['wall_seconds']:.0f}"]
            for t, x in loops.items()
        ],
    )
    harness.report("smax", text, {"maps": found, "training": loops}, "python benchmarks smax")


if __name__ == "__main__":
    main()
