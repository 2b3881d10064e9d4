"""Plays the native Level-Based Foraging and ``lbforaging`` side by side, and compares every bit.

    python tests/differential/lbf_differential.py [--configurations 400] [--steps 2000000] [--processes 2]

Random options (every one of ForagingEnv's), seeds, resets with and without a seed and in mid-episode, and
actions that load and collide often. Compared after every reset and step: observations, rewards (float64
bits), the end, valid actions, positions and levels of players and food.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections import Counter
from typing import Any

import numpy as np
from gymnasium import spaces
from lbforaging.foraging.environment import Action
from lbforaging.foraging.environment import ForagingEnv as Original

from pyqmix.envs import ForagingEnv
from pyqmix.envs.lbf.rules import foraging_rules, observation_box


class Corrected(Original):
    """The original with a right observation space: its grids have no valid one, its rectangles a wrong one."""

    def __init__(self, **options: Any) -> None:
        options.pop("render_mode", None)
        self._box = observation_box(foraging_rules(**options))
        super().__init__(**options)

    def _get_observation_space(self) -> spaces.Box:
        return self._box


def levels(random: np.random.Generator, count: int, low: int, high: int) -> Any:
    """A scalar, or one level for each."""
    drawn = random.integers(low, high + 1, size=count).tolist()
    return drawn if random.random() < 0.4 else drawn[0]


def at_least(random: np.random.Generator, lowest: Any, most: int) -> Any:
    """Levels that are nowhere below the lowest."""
    if isinstance(lowest, list):
        return [int(random.integers(low, most + 1)) for low in lowest]
    return int(random.integers(lowest, most + 1))


def random_options(random: np.random.Generator) -> dict[str, Any]:
    """Options of ForagingEnv, each of them random."""
    rows = int(random.integers(3, 13))
    cols = rows if random.random() < 0.5 else int(random.integers(3, 13))
    players, food = int(random.integers(1, 7)), int(random.integers(1, 6))
    players = min(players, rows * cols // 3)
    grid = bool(random.random() < 0.3)
    min_player = levels(random, players, 0 if random.random() < 0.1 else 1, 2)
    max_player = at_least(random, min_player, 4)
    force_coop = bool(random.random() < 0.3)
    any_food = bool(random.random() < 0.5)
    lowest = sorted(min_player if isinstance(min_player, list) else [min_player] * players)[:3]
    few = 0 if random.random() < 0.15 else 1
    if any_food and not force_coop:
        min_food = levels(random, food, min(few, sum(lowest)), max(few, sum(lowest)) if sum(lowest) else 0)
    else:
        min_food = levels(random, food, few, 3)
    return {
        "players": players,
        "min_player_level": min_player,
        "max_player_level": max_player,
        "min_food_level": min_food,
        "max_food_level": None if any_food else at_least(random, min_food, 5),
        "field_size": (rows, cols),
        "max_num_food": food,
        "sight": int(random.integers(1 if grid else 0, max(rows, cols) + 2)),
        "max_episode_steps": int(random.integers(1, 60)),
        "force_coop": force_coop,
        "normalize_reward": bool(random.random() < 0.6),
        "grid_observation": grid,
        "observe_agent_levels": bool(random.random() < 0.7),
        "penalty": float(random.choice([0.0, 0.1, 0.37])),
    }


def shown(original: Original) -> dict[str, Any]:
    """What the original's world is."""
    return {
        "players": [(*map(int, p.position), int(p.level)) for p in original.players],
        "food": [
            (int(r), int(c), int(original.field[r, c])) for r, c in zip(*original.field.nonzero(), strict=True)
        ],
        "valid": np.array([[a in original._valid_actions[p] for a in Action] for p in original.players]),
    }


def differences(native: ForagingEnv, original: Original, ours: Any, theirs: Any) -> list[str]:
    """Name what differs between two observations, and between the worlds behind them."""
    world = shown(original)
    found = []
    if not all(
        a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
        for a, b in zip(ours, theirs, strict=True)
    ):
        found.append("observation")
    if native._world.players != world["players"]:
        found.append("players")
    if native._world.food != world["food"]:
        found.append("food")
    if not np.array_equal(native.valid_actions(), world["valid"]):
        found.append("valid actions")
    return found


def random_actions(random: np.random.Generator, valid: np.ndarray) -> list[int]:
    """Any action, and loading more often than by chance where it is valid."""
    actions = random.integers(6, size=len(valid))
    actions[valid[:, 5] & (random.random(len(valid)) < 0.4)] = 5
    return actions.tolist()


def compare(options: dict[str, Any], seed: int, steps: int) -> Counter[str]:
    """Play so many steps; count steps, events and differences."""
    random = np.random.default_rng(seed)
    native, original = ForagingEnv(**options), Corrected(**options)
    counts: Counter[str] = Counter()
    ended = True
    for _ in range(steps):
        if ended or random.random() < 0.005:
            start = int(random.integers(2**40)) if not counts["resets"] or random.random() < 0.2 else None
            (ours, _), (theirs, _) = native.reset(seed=start), original.reset(seed=start)
            counts["resets"] += 1
            counts.update(differences(native, original, ours, theirs))
        before = native._world.players
        actions = random_actions(random, native.valid_actions())
        ours, rewards, ended, cut, _ = native.step(actions)
        theirs, expected, done, original_cut, _ = original.step(actions)
        counts["steps"] += 1
        counts["loads"] += any(r > 0 for r in rewards)
        counts["penalties"] += any(r < 0 for r in rewards)
        counts["held up"] += any(
            a in (1, 2, 3, 4) and p == q for a, p, q in zip(actions, before, native._world.players, strict=True)
        )
        if np.array(rewards, np.float64).tobytes() != np.array(expected, np.float64).tobytes():
            counts["reward"] += 1
        if (ended, cut) != (done, original_cut):
            counts["end"] += 1
        counts.update(differences(native, original, ours, theirs))
    return counts


EVENTS = ("steps", "resets", "loads", "penalties", "held up")


def compare_configuration(arguments: tuple[int, int]) -> Counter[str]:
    """Play the k-th random configuration."""
    k, steps = arguments
    return compare(random_options(np.random.default_rng((2026, k))), seed=k, steps=steps)


def main() -> None:
    """Compare, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--configurations", type=int, default=400)
    parser.add_argument("--steps", type=int, default=2_000_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--first", type=int, default=0, help="number of the first configuration")
    options = parser.parse_args()
    steps = -(-options.steps // options.configurations)
    tasks = [(options.first + k, steps) for k in range(options.configurations)]
    counts: Counter[str] = Counter()
    with multiprocessing.Pool(options.processes) as pool:
        for each in pool.imap_unordered(compare_configuration, tasks):
            counts += each
    events = ", ".join(f"{counts.pop(name, 0):,} {name}" for name in EVENTS)
    print(f"{options.configurations} configurations, {events}")
    print(f"mismatches: {sum(counts.values())} {dict(counts) or ''}; numpy {np.__version__}")
    raise SystemExit(1 if counts else 0)


if __name__ == "__main__":
    main()
