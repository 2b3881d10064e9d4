"""Compares native SMAX with ``jaxmarl`` as XLA compiles it by default, with fused multiply-adds.

    python tests/differential/smax_default_flags.py [--maps 3m 8m ...] [--steps 100000]

The native state is forced to jaxmarl's before every step, so that differences do not add up. Prints the largest
absolute difference of a step whose discrete outcome is equal, and every step whose discrete outcome differs
(an action available or not, a shot, a death, the enemy's choice) with the margin of the decision. Where units
are pushed apart whose centres almost coincide, a step amplifies rounding; each difference above BOUND is
printed with the change that moving the units by one ulp before the step makes in the native game alone.
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
BOUND = 2e-6
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


def sensitivity(env: _C.SmaxEnv, before: Steps, expected: Steps, native: Steps) -> float:
    """The largest change of this step when the units' positions before it change by one ulp."""
    random, most = np.random.default_rng(0), 0.0
    for _ in range(8):
        units = units_of(before)
        towards = np.where(random.random(units["positions"].shape) < 0.5, -np.inf, np.inf).astype(np.float32)
        env.set_units(units | {"positions": np.nextafter(units["positions"], towards)})
        env.step_with(key_of(expected["step_key"]), expected["actions"].astype(np.int64))
        most = max(most, *largest(outputs(env), native).values())
    return most


def compare(scenario: str, steps: int, seed: int) -> tuple[Counter[str], dict[str, float]]:
    """Play ``steps`` steps of one map or a few more; return counts, and the largest difference of each field."""
    worlds, chunk = worlds_of(scenario, steps)
    original = Original(scenario, worlds, chunk)
    seeds = [(seed << 40) + world for world in range(worlds)]
    keys, play = original.start(seeds)
    env, before = _C.SmaxEnv(scenario, episode_limit=10**9), original.resets(keys)
    env.start(0)
    most, counts = dict.fromkeys(CONTINUOUS, 0.0), Counter[str]()
    while counts["steps"] < steps:
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
                    counts["discrete"] += 1
                    cells = margin(previous, expected)
                    print(f"{scenario}: {', '.join(unequal)} differ, {cells:.1e} cells from a threshold")
                else:
                    apart = largest(native, expected)
                    most = {name: max(most[name], value) for name, value in apart.items()}
                    if max(apart.values()) > BOUND:
                        counts["above"] += 1
                        change = sensitivity(env, previous, expected, native)
                        print(f"{scenario}: differs by {max(apart.values()):.1e}; one ulp changes {change:.1e}")
                if expected["done"]:
                    recorded_reset = {name: value[ends] for name, value in resets.items()}
                    ends += 1
                for name in before:
                    before[name][world] = (recorded_reset if expected["done"] else expected)[name]
        counts["steps"] += done.size
    return counts, most


def main() -> None:
    """Compare, and print the differences of each map."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--maps", nargs="+", choices=MAPS, default=MAPS, metavar="MAP")
    parser.add_argument("--steps", type=int, default=100_000, help="in all, divided equally")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    total: Counter[str] = Counter()
    for scenario in options.maps:
        counts, most = compare(scenario, -(-options.steps // len(options.maps)), options.seed)
        total += counts
        figures = ", ".join(f"{name} {value:.2e}" for name, value in most.items())
        print(f"{scenario}: {told(counts)}; largest: {figures}", flush=True)
    print(f"{told(total)} ({smax_jaxmarl.versions()})")


def told(counts: Counter[str]) -> str:
    """The counts in words."""
    return (
        f"{counts['steps']:,} steps, {counts['discrete']:,} with a discrete difference, "
        f"{counts['above']:,} others that differ by more than {BOUND}"
    )


if __name__ == "__main__":
    main()
