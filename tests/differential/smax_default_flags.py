"""Compares native SMAX with ``jaxmarl`` as XLA compiles it by default, with fused multiply-adds.

    python tests/differential/smax_default_flags.py [--maps 3m 8m ...] [--steps 100000]

The native state is forced to jaxmarl's before every step, so that differences do not add up. Prints the largest
absolute difference of a step whose discrete outcome is equal, and every step whose discrete outcome differs
(an action available or not, a shot, a death, the enemy's choice) with the margin of the decision.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter

os.environ["PYQMIX_SMAX_XLA_FLAGS"] = ""

import numpy as np
import smax_jaxmarl
from smax_differential import worlds_of
from smax_jaxmarl import Original
from smax_replay import MAPS, MOVEMENTS, STOP, Steps, key_of, outputs

from pyqmix import _C

CONTINUOUS = ("obs", "state", "reward", "positions", "cooldowns", "default_targets", "movements")
DISCRETE = ("avail", "done", "alive", "health", "types", "movements", "attacks", "targets")
RANGE = np.array([5, 6, 6, 2, 2, 5], np.float64)


def units_of(outputs: Steps) -> Steps:
    """The recorded state as ``set_units`` takes it."""
    moves = (np.rint(outputs["movements"][:, None]) == np.rint(MOVEMENTS[None])).all(-1)
    moved = np.where(moves.any(1), moves.argmax(1), STOP)
    actions = np.where(outputs["attacks"] > STOP, outputs["attacks"], moved).astype(np.uint8)
    names = ("positions", "health", "types", "cooldowns", "targets", "default_targets")
    return {name: np.ascontiguousarray(outputs[name]) for name in names} | {"actions": actions}


def margin(before: Steps, after: Steps) -> float:
    """The least distance of a decision of this step to its threshold, in cells.

    Decisions: is a living unit of the other team in range, which of two is closer, along which axis to walk.
    """
    found = [np.inf]
    enemies = len(after["targets"])
    for units in (before, after):
        positions, alive = units["positions"].astype(np.float64), units["alive"]
        team = np.arange(len(alive)) >= len(alive) - enemies
        apart = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
        foes = alive[:, None] & alive[None] & (team[:, None] != team[None])
        found += np.abs(apart - RANGE[units["types"]][:, None])[foes].tolist()
        for unit in np.flatnonzero(foes.any(1)):
            distances = np.sort(apart[unit][foes[unit]])
            found += np.diff(distances).tolist()
            found += np.abs(np.abs(np.diff((positions - positions[unit])[foes[unit]])))[:, 0].tolist()
    return float(min(found))


def largest(native: Steps, original: Steps) -> dict[str, float]:
    """The largest difference of each continuous field."""
    return {name: float(np.abs(native[name].astype(np.float64) - original[name]).max()) for name in CONTINUOUS}


def compare(scenario: str, steps: int, seed: int) -> tuple[int, dict[str, float], int]:
    """Play some steps of one map; return steps, the largest differences, and steps with a discrete one."""
    worlds, chunk = worlds_of(scenario, steps)
    original = Original(scenario, worlds, chunk)
    seeds = [(seed << 40) + world for world in range(worlds)]
    keys, play = original.start(seeds)
    env, before = _C.SmaxEnv(scenario, episode_limit=10**9), original.resets(keys)
    env.start(0)
    most, played, discrete = dict.fromkeys(CONTINUOUS, 0.0), 0, Counter[str]()
    while played < steps:
        play, recorded = original.record(play)
        done = recorded["done"]
        resets = original.resets(recorded["reset_key"][done]) if done.any() else {}
        ends = 0
        for t in range(chunk):
            for world in range(worlds):
                previous = {name: value[world] for name, value in before.items()}
                expected = {name: value[t, world] for name, value in recorded.items()}
                env.set_units(units_of(previous))
                env.step_with(key_of(expected["step_key"]), expected["actions"].astype(np.int64))
                native = outputs(env) | {"done": expected["done"]}
                unequal = [name for name in DISCRETE if (np.rint(native[name]) != np.rint(expected[name])).any()]
                if unequal:
                    discrete.update(["steps"])
                    apart = margin(previous, expected)
                    print(f"{scenario}: {', '.join(unequal)} differ, {apart:.1e} cells from a threshold")
                else:
                    most = {name: max(most[name], value) for name, value in largest(native, expected).items()}
                if expected["done"]:
                    recorded_reset = {name: value[ends] for name, value in resets.items()}
                    ends += 1
                for name in before:
                    before[name][world] = (recorded_reset if expected["done"] else expected)[name]
        played += done.size
    return played, most, discrete["steps"]


def main() -> None:
    """Compare, and print the differences of each map."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--maps", nargs="+", choices=MAPS, default=MAPS, metavar="MAP")
    parser.add_argument("--steps", type=int, default=100_000, help="in all, divided equally")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    total = discrete = 0
    for scenario in options.maps:
        played, most, some = compare(scenario, -(-options.steps // len(options.maps)), options.seed)
        total, discrete = total + played, discrete + some
        figures = ", ".join(f"{name} {value:.2e}" for name, value in most.items())
        print(f"{scenario}: {played:,} steps, {some} with a discrete difference; largest: {figures}", flush=True)
    print(f"{total:,} steps, {discrete} with a discrete difference ({smax_jaxmarl.versions()})")


if __name__ == "__main__":
    main()
