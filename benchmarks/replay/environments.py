"""How many steps a second do the environments of other libraries make, on one core?

Whole episodes with a 64-64 MLP at ε = 0.05, in one world and in several that share each forward pass. An
environment whose package is not installed is left out, and the table says so.
"""

from __future__ import annotations

from typing import Any

import harness
import numpy as np
import torch

from pyqmix import Config, ConfigError
from pyqmix.base.seeding import Stream
from pyqmix.learn.learner import Learner
from pyqmix.play.create import AnyRollout, create_rollout

ROUNDS = 7
CASES: dict[str, dict[str, Any]] = {
    "lbforaging, Foraging-8x8-2p-3f-v3": {"env": "gymnasium", "task": "Foraging-8x8-2p-3f-v3"},
    "mpe2.simple_spread_v3": {"env": "pettingzoo", "task": "mpe2.simple_spread_v3"},
    "mpe2.simple_speaker_listener_v4": {"env": "pettingzoo", "task": "mpe2.simple_speaker_listener_v4"},
    "mpe2.simple_reference_v3": {"env": "pettingzoo", "task": "mpe2.simple_reference_v3"},
    "butterfly.knights_archers_zombies_v11": {
        "env": "pettingzoo",
        "task": "butterfly.knights_archers_zombies_v11",
        "episode_limit": 50,
    },
    "rware-tiny-2ag-v2": {"env": "rware", "task": "rware-tiny-2ag-v2", "episode_limit": 100},
    "VMAS balance": {"env": "vmas", "task": "balance"},
    "VMAS navigation": {"env": "vmas", "task": "navigation"},
    "Overcooked cramped_room": {"env": "overcooked", "task": "cramped_room", "episode_limit": 100},
}
WORLDS = (1, 16, 128)
BATCHED = ("vmas",)  # for which 128 worlds are one call


def rollout(options: dict[str, Any], num_envs: int) -> AnyRollout:
    """Build what plays in a number of worlds."""
    config = Config(num_envs=num_envs, **options)
    env = config.create_env()
    env.close()
    return create_rollout(config, Learner(env.spec, config).agent, 0, Stream.ENVIRONMENT, num_envs)


def measure(options: dict[str, Any]) -> dict[int, list[float]]:
    """Return lower quartile, median and upper quartile of steps/s for each number of worlds."""
    counts = [count for count in WORLDS if count < 128 or options["env"] in BATCHED]
    ways = {str(count): (count, rollout(options, count)) for count in counts}
    steps: dict[str, list[int]] = {name: [] for name in ways}
    times = harness.interleave(
        {
            name: lambda name=name, count=count, way=way: steps[name].append(way.play(0, count, 0.05).steps)
            for name, (count, way) in ways.items()
        },
        ROUNDS,
    )
    for _, way in ways.values():
        way.close()
    rates = {name: np.divide(steps[name][-ROUNDS:], timing.seconds) for name, timing in times.items()}
    return {int(name): np.quantile(each, [0.25, 0.5, 0.75]).tolist() for name, each in rates.items()}


def main() -> None:
    """Measure every environment that is installed."""
    torch.set_num_threads(1)
    rows, data, absent = [], {}, []
    for name, options in CASES.items():
        try:
            rates = measure(options)
        except ConfigError as error:
            absent.append(f"{name} ({error})")
            continue
        data[name] = rates
        cells = [f"{m:,.0f} ({low:,.0f}-{high:,.0f})" for low, m, high in rates.values()]
        rows.append([name, *cells, *["-"] * (len(WORLDS) - len(cells))])
    text = "Environment steps/s of whole episodes in one process: median (quartiles).\n\n"
    text += harness.table(["environment", *(f"{count} world{'s'[: count > 1]}" for count in WORLDS)], rows)
    text += f"\nNot installed here: {'; '.join(absent)}.\n" if absent else ""
    harness.report("environments_speed", text, data, "python benchmarks environments_speed")
