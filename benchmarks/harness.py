"""What every benchmark shares: interleaved timing, the machine's description, Markdown, JSON and bars."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

import pyqmix
from pyqmix.base.build import versions

RESULTS = Path(__file__).parent / "results"
README = Path(__file__).parent / "README.md"
HEADING = "## Results\n"
REPEATS, WARM_UP = 40, 5


@dataclass(frozen=True)
class Timing:
    """Times of one candidate.

    Attributes:
        seconds: one for each repetition, in the order in which they were taken.
    """

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median, in milliseconds."""
        return float(np.median(self.seconds)) * 1e3

    @property
    def spread(self) -> tuple[float, float]:
        """Lower and upper quartile, in milliseconds."""
        low, high = np.quantile(self.seconds, [0.25, 0.75]) * 1e3
        return float(low), float(high)

    def __str__(self) -> str:
        low, high = self.spread
        return f"{self.median:.2f} ({low:.2f}-{high:.2f})"


def interleave(candidates: dict[str, Callable[[], object]], repeats: int = REPEATS) -> dict[str, Timing]:
    """Time the candidates in turns, so that a busy moment of a shared machine hits them alike.

    Every round starts with another candidate.
    """
    for _ in range(WARM_UP):
        for run in candidates.values():
            run()
    names = list(candidates)
    times: dict[str, list[float]] = {name: [] for name in names}
    for repeat in range(repeats):
        first = repeat % len(names)
        for name in names[first:] + names[:first]:
            start = time.perf_counter()
            candidates[name]()
            times[name].append(time.perf_counter() - start)
    return {name: Timing(tuple(seconds)) for name, seconds in times.items()}


def ratio(slower: Timing, faster: Timing) -> float:
    """Median over rounds of how many times longer the first took: both sides of the same moment."""
    return float(np.median(np.divide(slower.seconds, faster.seconds)))


def matmul_peak(size: int = 1024) -> float:
    """Measure torch.mm in float32 at its best, in GFLOP/s, with the threads that torch has now."""
    a, b, out = torch.randn(3, size, size)
    timing = interleave({"mm": lambda: torch.mm(a, b, out=out)}, repeats=15)["mm"]
    return 2 * size**3 / min(timing.seconds) / 1e9


def machine() -> dict[str, Any]:
    """Describe where and with what the numbers were taken."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return {
        "cpu": model or platform.processor(),
        "threads": torch.get_num_threads(),
        "torch_mm_gflops": round(matmul_peak(), 1),
        **versions(),
        "build": pyqmix.build_info(),
    }


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def report(name: str, text: str, data: dict[str, Any], command: str) -> None:
    """Print a result, and write it with machine, versions and command as Markdown and JSON."""
    RESULTS.mkdir(exist_ok=True)
    where = machine()
    build = where["build"]
    head = (
        f"{where['cpu']}, {where['threads']} thread(s), torch.mm {where['torch_mm_gflops']} GFLOP/s; "
        f"torch {where['torch']}, pyqmix {where['pyqmix']} ({build['compiler']}, {build['simd']}).\n"
    )
    markdown = f"{head}\n{text}\nCommand: `{command}`\n"
    print(markdown)
    (RESULTS / f"{name}.md").write_text(f"# {name}\n\n{markdown}")
    content = {"machine": where, "command": command, **data}
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")
    README.write_text(with_results(README.read_text()))


def with_results(readme: str) -> str:
    """Renew the results at the README's end from what every benchmark last wrote."""
    head = readme.partition(HEADING)[0]
    parts = [path.read_text().replace("# ", "### ", 1) for path in sorted(RESULTS.glob("*.md"))]
    return head + HEADING + "\n" + "\n".join(parts)


def bars(name: str, groups: Sequence[str], series: dict[str, Sequence[float]], ylabel: str) -> None:
    """Draw grouped bars as PNG."""
    RESULTS.mkdir(exist_ok=True)
    figure = Figure(figsize=(8, 4), dpi=130, layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(series)
    places = np.arange(len(groups))
    for k, (label, values) in enumerate(series.items()):
        axes.bar(places + (k - (len(series) - 1) / 2) * width, values, width, label=label)
    axes.set_xticks(places, groups, fontsize=8)
    axes.set_ylabel(ylabel)
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(RESULTS / f"{name}.png")
