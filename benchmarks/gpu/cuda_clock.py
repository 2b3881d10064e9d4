"""How long work takes on a GPU: captured in CUDA graphs, on inputs that rotate beyond its L2 cache."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from harness import Timing
from torch import Tensor

Call = Callable[[], object]
LARGEST_ROTATION = 100


class Clock(Protocol):
    """What measures, and on which device.

    Attributes:
        device: where the work is.
        l2_bytes: size of the last cache before its memory.
    """

    device: torch.device
    l2_bytes: int

    def capture(self, calls: Sequence[Call]) -> Call:
        """Return what runs the calls one after another, without their cost on the host."""

    def seconds(self, run: Call) -> float:
        """Time one run."""


class GpuClock:
    """CUDA graphs and events of the current GPU."""

    def __init__(self) -> None:
        self.device = torch.device("cuda", torch.cuda.current_device())
        self.l2_bytes = int(torch.cuda.get_device_properties(self.device).L2_cache_size)

    def capture(self, calls: Sequence[Call]) -> Call:
        """Warm up on a side stream, as torch asks for, then record."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                for call in calls:
                    call()
        torch.cuda.current_stream().wait_stream(side)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            for call in calls:
                call()
        return graph.replay

    def seconds(self, run: Call) -> float:
        """Time one run by events on the device."""
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        run()
        end.record()
        end.synchronize()
        return float(start.elapsed_time(end)) / 1e3


class HostClock:
    """Stands in where there is no GPU, so that tests run the benchmark's code."""

    device = torch.device("cpu")
    l2_bytes = 1 << 16

    def capture(self, calls: Sequence[Call]) -> Call:
        """Run them as they are."""

        def run() -> None:
            for call in calls:
                call()

        return run

    def seconds(self, run: Call) -> float:
        """Time one run by the host's clock."""
        start = time.perf_counter()
        run()
        return time.perf_counter() - start


def rotation(clock: Clock, bytes_of_inputs: int) -> int:
    """Count the copies of inputs of which each is out of the cache when its turn comes again."""
    return min(LARGEST_ROTATION, max(2, math.ceil(2 * clock.l2_bytes / bytes_of_inputs)))


def interleave(clock: Clock, candidates: dict[str, Sequence[Call]], repeats: int) -> dict[str, Timing]:
    """Time candidates in turns, each a list of calls on rotating inputs; seconds are those of one call."""
    runs = {name: clock.capture(calls) for name, calls in candidates.items()}
    for run in runs.values():
        clock.seconds(run)
    names = list(runs)
    times: dict[str, list[float]] = {name: [] for name in names}
    for repeat in range(repeats):
        first = repeat % len(names)
        for name in names[first:] + names[:first]:
            times[name].append(clock.seconds(runs[name]) / len(candidates[name]))
    return {name: Timing(tuple(seconds)) for name, seconds in times.items()}


def copy_bandwidth(clock: Clock) -> float:
    """Measure bytes a second, read and written, of a copy that no cache holds."""
    source = torch.zeros(max(8 * clock.l2_bytes, 1 << 20), dtype=torch.uint8, device=clock.device)
    target = torch.empty_like(source)
    times = interleave(clock, {"copy": [lambda: target.copy_(source)]}, 15)["copy"]
    return 2 * source.numel() / min(times.seconds)


def matrix_rate(clock: Clock, size: int) -> float:
    """Measure FLOP/s of torch.mm in float32 as torch is set."""
    a, b, out = (torch.randn(size, size, device=clock.device) for _ in range(3))
    times = interleave(clock, {"mm": [lambda: torch.mm(a, b, out=out)]}, 15)["mm"]
    return 2 * size**3 / min(times.seconds)


def node_seconds(clock: Clock) -> float:
    """Measure what a node of a graph takes that does next to nothing."""
    one: Tensor = torch.zeros(1, device=clock.device)
    times = interleave(clock, {"nodes": [lambda: one.zero_()] * 100}, 15)["nodes"]
    return min(times.seconds)
