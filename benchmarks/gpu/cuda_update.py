"""What does a whole training step take on a GPU? Captured, plain PyTorch there, and ours on the CPU.

The published schedule on Level-Based Foraging: 32 episodes of 50 steps from a full ring, sampling included. `kept`
gathers the batch on the GPU (`--replay-device cuda`). A GPU's steps are timed in runs of twenty behind which it is
waited for once, as a training run does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

import harness
import numpy as np
import torch
from training.train_parts import EPISODES, TASKS, config_of, full_ring

from pyqmix import ops
from pyqmix.learn.learner import Learner
from pyqmix.replay.batch import EpisodeBatch
from pyqmix.replay.device_store import DeviceStore

RUN, REPEATS = 20, 15
SHAPES = [(agent, n, 64) for agent in ("mlp", "gru") for n in TASKS]
HEADER = [
    "agent, hidden, task",
    "captured (µs)",
    "kept",
    "plain PyTorch",
    "our CPU",
    "plain/captured",
    "CPU/captured",
]


def candidates(agent: str, n: int, hidden: int, device: torch.device) -> dict[str, Callable[[], object]]:
    """Build sides that each take RUN training steps; they have begun alike."""
    sides = {}
    losses = {}
    for name, backend, where in (
        ("captured", "fused", device),
        ("kept", "fused", device),
        ("plain", "reference", device),
        ("cpu", "fused", torch.device("cpu")),
    ):
        config = config_of(agent, n, hidden, backend)
        spec = config.create_env().spec
        ring, learner = full_ring(spec), Learner(spec, config, where)
        sampler = ring.sampler(0, DeviceStore(spec, ring.capacity, where) if name == "kept" else None)
        pinned = where.type == "cuda"
        batches = cycle([EpisodeBatch.empty(spec, EPISODES, pin_memory=pinned) for _ in range(2)])

        def run(sampler: Any = sampler, learner: Learner = learner, batches: Any = batches) -> list[torch.Tensor]:
            room = learner.step.batch_room
            stats = [learner.update(sampler.sample(EPISODES, next(batches), room)) for _ in range(RUN)]
            if learner.device.type == "cuda":
                torch.cuda.synchronize(learner.device)
            return [s.loss for s in stats]

        sides[name] = run
        losses[name] = torch.stack(run()).cpu()
    for name, of_side in losses.items():
        torch.testing.assert_close(
            of_side[:5], losses["cpu"][:5], rtol=1e-2, atol=0, msg=f"{name} learns otherwise"
        )
    return sides


def measure(
    device: torch.device, shapes: Sequence[tuple[str, int, int]], repeats: int
) -> tuple[list[list[str]], dict[str, Any]]:
    """Measure every shape; returns what :func:`main` writes."""
    rows, data = [], {}
    for agent, n, hidden in shapes:
        times = harness.interleave(candidates(agent, n, hidden, device), repeats)
        micro = [f"{1e3 * times[name].median / RUN:.0f}" for name in ("captured", "kept", "plain", "cpu")]
        ratios = [f"{harness.ratio(times[name], times['captured']):.2f}" for name in ("plain", "cpu")]
        rows.append([f"{agent} {hidden}, {n} agents", *micro, *ratios])
        data[rows[-1][0]] = {name: np.divide(t.seconds, RUN).tolist() for name, t in times.items()}
        print("| " + " | ".join(rows[-1]) + " |", flush=True)
    ops.raise_late_errors()
    return rows, data


def main() -> None:
    """Measure on the current GPU, with one thread on the CPU."""
    if not torch.cuda.is_available():
        sys.exit("python benchmarks cuda_update: no NVIDIA GPU was found: nothing was measured")
    torch.set_num_threads(1)
    device = torch.device("cuda", torch.cuda.current_device())
    rows, data = measure(device, SHAPES, REPEATS)
    name = torch.cuda.get_device_name()
    text = (
        f"{name}. A training step with its batch of {EPISODES} episodes, medians; ratios over rounds.\n\n"
        + harness.table(HEADER, rows)
    )
    harness.report("cuda_update", text, {"gpu": name, "seconds": data}, "python benchmarks cuda_update")
