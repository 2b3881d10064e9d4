"""Replays recorded steps of SMAX in the native game, and compares every bit. Needs no jaxmarl."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import numpy as np

from pyqmix import _C

Steps = dict[str, np.ndarray]

MAPS = (
    "3m", "8m", "25m", "2s3z", "3s5z", "3s_vs_5z", "6h_vs_8z", "5m_vs_6m", "10m_vs_11m", "27m_vs_30m",
    "3s5z_vs_3s6z", "smacv2_5_units", "smacv2_10_units", "smacv2_20_units",
)  # fmt: skip
# The movement of each action, as jaxmarl's float32 arithmetic gives it: one ulp below 1.
UNIT = np.float32(0.99999994)
MOVEMENTS = np.array([[0, UNIT], [UNIT, 0], [0, -UNIT], [-UNIT, 0], [0, 0]], np.float32)
STOP, MAP_SIZE, LIMIT = 4, 32.0, 101
SIGHT = np.array([9, 10, 10, 9, 8, 9], np.float32)
RADIUS = np.array([0.375, 0.5625, 0.625, 0.5, 0.375, 0.625], np.float32)

OUTPUTS = ("obs", "state", "avail", "reward", "done")
UNITS = ("positions", "health", "types", "cooldowns")
OF_LIVING = ("movements", "attacks")
OF_LIVING_ENEMIES = ("targets", "default_targets")
FIELDS = (*OUTPUTS, "alive", *UNITS, *OF_LIVING, *OF_LIVING_ENEMIES, "clock")
OF_RESET = tuple(field for field in FIELDS if field not in ("reward", "done"))


class Difference(NamedTuple):
    """The first differing value of a field: where, and both values."""

    scenario: str
    seed: int
    step: int
    field: str
    index: tuple[int, ...]
    native: Any
    original: Any

    def __str__(self) -> str:
        values = " against ".join(shown(value) for value in (self.native, self.original))
        where = "reset" if self.step < 0 else f"step {self.step}"
        field = f"{self.field}{list(self.index)}"
        return f"{self.scenario}, seed {self.seed}, {where}: {field} is {values} (native, original)"


def shown(value: Any) -> str:
    """A number, and its bits if it is a float."""
    return f"{value!s} (0x{value.view(np.uint32):08x})" if isinstance(value, np.float32) else str(value)


def bits(values: np.ndarray) -> np.ndarray:
    """The values, with floats as integers: -0.0 differs from 0.0."""
    return values.view(np.uint32) if values.dtype == np.float32 else values


def key_of(words: np.ndarray) -> tuple[int, int]:
    """A key as the native game takes it."""
    return int(words[0]), int(words[1])


def visible(outputs: Steps) -> Steps:
    """The same, with zeros where the game remembers something of the dead that nobody can see."""
    alive, enemies = outputs["alive"], outputs["targets"].shape[-1]
    masked = {}
    for field in OF_LIVING + OF_LIVING_ENEMIES:
        living = alive if field in OF_LIVING else alive[..., alive.shape[-1] - enemies :]
        value = outputs[field]
        living = living.reshape(living.shape + (1,) * (value.ndim - living.ndim))
        masked[field] = np.where(living, value, value.dtype.type(0))
    return outputs | masked


def outputs(env: _C.SmaxEnv) -> Steps:
    """Everything that is compared, of one world."""
    units = env.units()
    actions = units["actions"].astype(np.int32)
    return visible(
        {
            "obs": env.observation(),
            "state": env.state(),
            "avail": env.avail(),
            "reward": np.float32(env.reward),
            "done": np.bool_(env.terminated or env.truncated),
            "alive": units["health"] > 0,
            "clock": np.int32(env.steps),
            "movements": MOVEMENTS[np.minimum(actions, STOP)],
            "attacks": np.where(actions > STOP, actions, 0),
            **{name: units[name] for name in (*UNITS, *OF_LIVING_ENEMIES)},
        }
    )


def differing(native: Steps, original: Steps, fields: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Which elements differ, for each field with a difference."""
    found = {}
    for field in fields:
        ours, theirs = native[field], original[field]
        if ours.dtype != theirs.dtype or ours.shape != theirs.shape:
            raise TypeError(f"{field}: {ours.dtype} {ours.shape} against {theirs.dtype} {theirs.shape}")
        unequal = bits(ours) != bits(theirs)
        if unequal.any():
            found[field] = unequal
    return found


class Replay:
    """The native worlds of one map, one for each seed, at the same step as the recorded ones.

    A world's first episode goes by its seed alone (``start`` and ``step``), which tests the chain of keys;
    later ones by the recorded keys.
    """

    def __init__(self, scenario: str, seeds: list[int]) -> None:
        self.scenario, self.seeds = scenario, seeds
        self.envs = [_C.SmaxEnv(scenario) for _ in seeds]
        self.step, self.first = 0, np.ones(len(seeds), bool)
        self.differing: Counter[str] = Counter()
        self.differences: list[Difference] = []
        for env, seed in zip(self.envs, seeds, strict=True):
            env.start(seed)

    def _note(self, world: int, step: int, native: Steps, original: Steps, found: dict[str, np.ndarray]) -> None:
        for field, unequal in found.items():
            self.differing[field] += int(unequal.sum())
            index = tuple(int(i) for i in np.argwhere(unequal)[0]) if unequal.ndim else ()
            ours, theirs = native[field][index], original[field][index]
            self.differences.append(Difference(self.scenario, self.seeds[world], step, field, index, ours, theirs))

    def compare_reset(self, world: int, original: Steps, step: int = -1) -> None:
        """Compare a world that was just reset."""
        native = outputs(self.envs[world])
        self._note(world, step, native, original, differing(native, original, OF_RESET))

    def play(self, steps: Steps, resets: Steps) -> None:
        """Replay recorded steps, (steps, worlds, ...); ``resets`` has the worlds after each end, in order."""
        length, worlds = steps["done"].shape
        at_reset = np.cumsum(steps["done"].ravel()).reshape(length, worlds) - 1
        for world, env in enumerate(self.envs):
            for t in range(length):
                actions = steps["actions"][t, world].astype(np.int64)
                if self.first[world]:
                    env.step(actions)
                else:
                    env.step_with(key_of(steps["step_key"][t, world]), actions)
                original = {field: steps[field][t, world] for field in FIELDS}
                native = outputs(env)
                found = differing(native, original, FIELDS)
                if found:
                    self._note(world, self.step + t, native, original, found)
                if original["done"]:
                    self.first[world] = False
                    env.reset(key_of(steps["reset_key"][t, world]))
                    fresh = {field: resets[field][at_reset[t, world]] for field in OF_RESET}
                    self.compare_reset(world, fresh, self.step + t)
                if len(self.differences) > 20:
                    return
        self.step += length


def coverage(steps: Steps, enemies: int) -> Counter[str]:
    """How often each rule was at work in recorded steps, (steps, worlds, ...)."""
    counts: Counter[str] = Counter(steps=steps["done"].size, episodes=int(steps["done"].sum()))
    alive, done = steps["alive"], steps["done"]
    allies = alive.shape[-1] - enemies
    lost, won = ~alive[..., :allies].any(-1), ~alive[..., allies:].any(-1)
    counts["wins"], counts["draws"] = int((won & ~lost).sum()), int((won & lost).sum())
    counts["limits"] = int((steps["clock"][done] == LIMIT).sum())
    follows = ~done[:-1, :, None]  # the next row is of the same episode
    before, after = alive[:-1], alive[1:]
    died = follows & before & ~after
    positions = steps["positions"]
    at_wall = ((positions <= 0) | (positions >= MAP_SIZE)).any(-1)
    counts["deaths"], counts["wall deaths"] = int(died.sum()), int((died & at_wall[1:]).sum())
    cooldowns = steps["cooldowns"]
    counts["shots"] = int((follows & (cooldowns[1:] > cooldowns[:-1])).sum())
    apart = np.linalg.norm(positions[..., :, None, :] - positions[..., None, :, :], axis=-1)
    pairs = alive[..., :, None] & alive[..., None, :] & ~np.eye(allies + enemies, dtype=bool)
    radius = RADIUS[steps["types"]]
    counts["touching pairs"] = int((pairs & (apart < radius[..., :, None] + radius[..., None, :])).sum()) // 2
    seen = (pairs & (apart < SIGHT[steps["types"]][..., :, None]))[:-1, :, allies:, :allies].sum(-1)
    walks = (steps["attacks"][1:, :, allies:] == 0) & before[..., allies:] & follows
    counts["random targets"] = int((walks & (seen > 1)).sum())
    counts["walks home"] = int((walks & (seen == 0)).sum())
    return counts
