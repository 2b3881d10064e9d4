"""The recorded steps of jaxmarl's SMAX in tests/envs/smax_recorded.npz: how they are packed, and checked.

    python tests/differential/smax_recorded.py    (records them; needs jaxmarl)

Of every step, the actions, the key, the reward and the end are stored as they are, and of the rest a CRC-32 of
its bits for each group of fields, which tells a failing test the step and the group.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
from smax_replay import LIMIT, MAPS, OF_LIVING, OF_LIVING_ENEMIES, UNITS, Steps, key_of, outputs

from pyqmix import _C

FILE = Path(__file__).parents[1] / "envs" / "smax_recorded.npz"
GROUPS = {
    "obs": ("obs",),
    "state": ("state",),
    "avail": ("avail",),
    "units": ("alive", *UNITS, *OF_LIVING, *OF_LIVING_ENEMIES, "clock"),
}
# Of so many worlds of each policy, the first one that wins is stored, and of those that flee, one that ends at
# the limit; with the steps up to a few after that, or as many as here.
CANDIDATES = 8
USUAL_LENGTHS = {"random": 30, "attack": 40, "heuristic": 40, "walls": 20, "together": 30, "flee": 60, "stand": 26}
MOST, AFTER = 106, 4


def sums(values: Steps) -> np.ndarray:
    """The CRC-32 of each group, (groups,) uint32."""
    joined = [b"".join(np.ascontiguousarray(values[f]).tobytes() for f in group) for group in GROUPS.values()]
    return np.array([zlib.crc32(each) for each in joined], np.uint32)


def at(steps: Steps, *index: int) -> Steps:
    """One row of every array."""
    return {name: value[index] for name, value in steps.items()}


def chosen(steps: Steps, enemies: int) -> list[tuple[int, int]]:
    """The worlds that are stored, one of each policy, and their numbers of steps."""
    alive, done = steps["alive"], steps["done"]
    won = done & ~alive[..., -enemies:].any(-1) & alive[..., :-enemies].any(-1)
    late = done & (steps["clock"] == LIMIT)
    found = []
    for policy, (name, length) in enumerate(USUAL_LENGTHS.items()):
        worlds = slice(policy * CANDIDATES, (policy + 1) * CANDIDATES)
        times, which = np.nonzero((late if name == "flee" else won)[:, worlds])
        if len(times) and times[0] + AFTER < MOST:
            found.append((policy * CANDIDATES + int(which[0]), max(length, int(times[0]) + AFTER)))
        else:
            found.append((policy * CANDIDATES, length))
    return found


def packed(steps: Steps, resets: Steps, starts: Steps, seeds: list[int]) -> Steps:
    """The stored arrays of one map, with one world behind another."""
    done = steps["done"]
    number = np.cumsum(done.ravel()).reshape(done.shape) - 1  # of the reset after an end
    worlds = chosen(steps, steps["targets"].shape[-1])
    rows = [(t, world) for world, length in worlds for t in range(length)]
    ends = [row for row in rows if done[row]]
    return {
        "seeds": np.array([seeds[world] for world, _ in worlds], np.uint64),
        "lengths": np.array([length for _, length in worlds]),
        "actions": np.array([steps["actions"][row] for row in rows], np.uint8),
        "keys": np.array([steps["step_key"][row] for row in rows]),
        "rewards": np.array([steps["reward"][row] for row in rows]),
        "ends": np.array([done[row] for row in rows]),
        "sums": np.array([sums(at(steps, *row)) for row in rows]),
        "reset_keys": np.array([steps["reset_key"][row] for row in ends]).reshape(-1, 2),
        "reset_sums": np.array([sums(at(resets, int(number[row]))) for row in ends]).reshape(-1, len(GROUPS)),
        "start_sums": np.array([sums(at(starts, world)) for world, _ in worlds]),
    }


def check_sums(what: str, env: _C.SmaxEnv, expected: np.ndarray) -> Steps:
    """Fail with the names of the groups that differ."""
    values = outputs(env)
    unequal = [name for name, same in zip(GROUPS, sums(values) == expected, strict=True) if not same]
    assert not unequal, f"{what}: {', '.join(unequal)} differ from jaxmarl's"
    return values


def check(scenario: str, recorded: Steps) -> int:
    """Replay a map's recorded steps in the native game; return how many episodes ended."""
    row = end = 0
    env = _C.SmaxEnv(scenario)
    for world, (seed, length) in enumerate(zip(recorded["seeds"], recorded["lengths"], strict=True)):
        env.start(int(seed))
        check_sums(f"{scenario}, seed {seed}, start", env, recorded["start_sums"][world])
        first = True  # the first episode goes by the seed, later ones by recorded keys
        for t in range(length):
            what, actions = f"{scenario}, seed {seed}, step {t}", recorded["actions"][row].astype(np.int64)
            env.step(actions) if first else env.step_with(key_of(recorded["keys"][row]), actions)
            values = check_sums(what, env, recorded["sums"][row])
            assert values["reward"].tobytes() == recorded["rewards"][row].tobytes(), f"{what}: reward"
            assert values["done"] == recorded["ends"][row], f"{what}: end"
            if recorded["ends"][row]:
                env.reset(key_of(recorded["reset_keys"][end]))
                check_sums(f"{what}, reset", env, recorded["reset_sums"][end])
                first, end = False, end + 1
            row += 1
    return end


def load(scenario: str) -> Steps:
    """The recorded steps of one map."""
    with np.load(FILE, allow_pickle=False) as file:
        names = [name for name in file.files if name.startswith(f"{scenario}/")]
        return {name.removeprefix(f"{scenario}/"): file[name] for name in names}


def record(scenario: str) -> Steps:
    """Record one map."""
    from smax_jaxmarl import POLICIES, Original

    assert tuple(USUAL_LENGTHS) == POLICIES
    original = Original(scenario, CANDIDATES * len(POLICIES), MOST)
    seeds = [(world << 32) + 2026 for world in range(original.worlds)]
    keys, play = original.start(seeds)
    _, steps = original.record(play)
    return packed(steps, original.resets(steps["reset_key"][steps["done"]]), original.resets(keys), seeds)


def main() -> None:
    """Record every map."""
    stored = {}
    for scenario in MAPS:
        recorded = record(scenario)
        stored |= {f"{scenario}/{name}": value for name, value in recorded.items()}
        wins = int((recorded["rewards"] > 1).sum())
        print(f"{scenario}: {len(recorded['ends'])} steps, {recorded['ends'].sum()} ends, {wins} wins", flush=True)
    np.savez_compressed(FILE, **stored)
    print(f"{FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
