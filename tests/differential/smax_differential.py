"""Plays native SMAX and ``jaxmarl``'s side by side, and compares every bit.

    python tests/differential/smax_differential.py [--maps 3m 8m ...] [--steps 1000000] [--seed 0]

Compared after every reset and step: observations, global state, available actions, reward, end, and the units:
positions, health, types, cooldowns; of living units the last action, of living enemies the remembered target
and the place they walk to. Seven policies play the allies: random, attacking, jaxmarl's heuristic, into walls,
crowding together, fleeing, standing.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter

import smax_jaxmarl
from smax_jaxmarl import POLICIES, Original
from smax_replay import MAPS, Replay, coverage

CHUNK = 20  # steps of each world between two comparisons
EVENTS = (
    "wins",
    "draws",
    "limits",
    "shots",
    "deaths",
    "wall deaths",
    "touching pairs",
    "random targets",
    "walks home",
)


def worlds_of(scenario: str, steps: int) -> tuple[int, int]:
    """Worlds at once and steps of a chunk: more of them where units are few, and no more than needed."""
    units = smax_jaxmarl.Original.units_of(scenario)
    share = min(4000 // (units * len(POLICIES)), -(-steps // (CHUNK * len(POLICIES))))
    return share * len(POLICIES), CHUNK


def compare(scenario: str, steps: int, seed: int) -> Counter[str]:
    """Play ``steps`` steps of one map or a few more; print and count events and differences."""
    begun = time.perf_counter()
    worlds, chunk = worlds_of(scenario, steps)
    original = Original(scenario, worlds, chunk)
    seeds = [(seed << 40) + (world << 20) * 4099 + world for world in range(worlds)]
    keys, play = original.start(seeds)
    replay, counts = Replay(scenario, seeds), Counter[str]()
    first = original.resets(keys)
    for world in range(worlds):
        replay.compare_reset(world, {name: value[world] for name, value in first.items()})
    while counts["steps"] < steps and len(replay.differences) <= 20:
        play, recorded = original.record(play)
        done = recorded["done"]
        replay.play(recorded, original.resets(recorded["reset_key"][done]) if done.any() else {})
        counts += coverage(recorded, original.env.num_enemies)
    for difference in replay.differences[:20]:
        print(difference)
    counts["differing values"] = sum(replay.differing.values())
    seen = ", ".join(f"{counts[name]:,} {name}" for name in EVENTS)
    print(
        f"{scenario}: {counts['steps']:,} steps, {counts['episodes']:,} episodes, "
        f"{counts['differing values']:,} differing values {dict(replay.differing) or ''}({seen}; "
        f"{time.perf_counter() - begun:.0f} s)",
        flush=True,
    )
    return counts


def main() -> None:
    """Compare, and print events and differences of each map."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--maps", nargs="+", choices=MAPS, default=MAPS, metavar="MAP")
    parser.add_argument("--steps", type=int, default=1_000_000, help="in all, divided equally")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    total: Counter[str] = Counter()
    for scenario in options.maps:
        total += compare(scenario, -(-options.steps // len(options.maps)), options.seed)
    print(
        f"{len(options.maps)} maps, {total['steps']:,} steps, {total['episodes']:,} episodes: "
        f"{total['differing values']:,} differing values ({smax_jaxmarl.versions()})"
    )
    raise SystemExit(1 if total["differing values"] else 0)


if __name__ == "__main__":
    main()
