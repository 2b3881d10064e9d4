"""How much faster are whole runs with more threads, and with those that a run chooses itself?

Once with the cores for the runs alone, and once with another program on each core, which never waits. The runs of
a task have one seed and end with the same weights, however many threads they have: that is checked. All of a run's
time counts, so also the rounds in which ``--threads auto`` tries numbers that it does not take.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import harness
import numpy as np
import torch
from harness import Timing

from pyqmix import from_preset, train
from pyqmix.base.cores import AUTO, usable_cores

ROUNDS = 5  # of each number of threads, in turns
RUNS: dict[str, dict[str, Any]] = {  # some ten seconds by one thread
    "lbf": {"preset": "lbf", "total_steps": 400_000},
    "lbf, td_lambda, gru": {"preset": "lbf", "agent": "gru", "td_lambda": 0.6, "total_steps": 250_000},
    "smax": {"preset": "smax", "total_steps": 120_000},
}
LOADS = {"the cores alone": False, "another program on each core": True}
BUSY = "import os\nos.sched_setaffinity(0, {%d})\nwhile True:\n    pass\n"


@contextmanager
def others(busy: bool) -> Iterator[None]:
    """Let another program work on each core."""
    cores = os.sched_getaffinity(0) if busy else ()
    programs = [subprocess.Popen([sys.executable, "-c", BUSY % core]) for core in cores]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def numbers() -> list[int | str]:
    """Return 1, 2, 4, ... up to the number of cores, and the word for a run's own choice."""
    cores = usable_cores()
    return [*(2**k for k in range(cores.bit_length())), AUTO]


def run(options: dict[str, Any], threads: int | str) -> tuple[float, int, torch.Tensor]:
    """Train; return the seconds, the number of threads in the end, and all weights."""
    with tempfile.TemporaryDirectory() as folder:
        seldom = {"eval_every": options["total_steps"], "checkpoint_every": options["total_steps"]}
        config = from_preset(
            **{**seldom, **options}, threads=threads, device="cpu", run_dir=str(Path(folder) / "run")
        )
        result = train(config, quiet=True)
    return result.summary["wall_seconds"], result.summary["threads"], result.learner.flat.block.detach()


def compare(options: dict[str, Any]) -> tuple[dict[int | str, Timing], list[int]]:
    """Train in turns with each number of threads; return their times, and the numbers that the runs chose."""
    sides, chosen = numbers(), []
    times: dict[int | str, list[float]] = {side: [] for side in sides}
    weights = None
    for turn in range(ROUNDS):
        first = turn % len(sides)
        for side in sides[first:] + sides[:first]:
            seconds, threads, learned = run(options, side)
            weights = learned if weights is None else weights
            assert torch.equal(learned, weights), f"other weights with threads {side}"
            times[side].append(seconds)
            chosen += [threads] if side == AUTO else []
    return {side: Timing(tuple(seconds)) for side, seconds in times.items()}, chosen


def seconds_of(timing: Timing) -> str:
    """Write median and quartiles in seconds."""
    low, high = np.quantile(timing.seconds, [0.25, 0.75])
    return f"{np.median(timing.seconds):.2f} ({low:.2f}-{high:.2f})"


def gain(one: Timing, other: Timing) -> str:
    """Write how many times faster than one thread: the median over rounds, with quartiles."""
    ratios = np.divide(one.seconds, other.seconds)
    low, high = np.quantile(ratios, [0.25, 0.75])
    return f"{np.median(ratios):.2f} ({low:.2f}-{high:.2f})"


def main() -> None:
    """Measure, then write."""
    sides, rows, data = numbers(), [], {}
    if len(sides) < 3:
        raise SystemExit("benchmark threads: expected two cores, got one")
    for load, busy in LOADS.items():
        for name, options in RUNS.items():
            with others(busy):
                times, chosen = compare(options)
            gains = [gain(times[1], times[side]) for side in sides[1:]]
            rows.append([f"{name}, {load}", seconds_of(times[1]), *gains, ", ".join(map(str, chosen))])
            data[rows[-1][0]] = {str(side): [round(s, 3) for s in times[side].seconds] for side in sides}
            print(*rows[-1], sep=" | ", flush=True)
    torch.set_num_threads(1)
    text = (
        f"Whole runs on {usable_cores()} cores, {ROUNDS} of each in turns: seconds by one thread, and how many "
        "times faster they are with others, medians with quartiles; and the numbers that the runs of auto had in "
        "the end. All runs of a task end with the same weights.\n\n"
    )
    header = ["run", "1 thread, s", *(f"{side} / 1" for side in sides[1:]), "chosen"]
    harness.report("threads", text + harness.table(header, rows), {"seconds": data}, "python benchmarks threads")
