"""How long do imports and the commands' help take, compared with torch's import, and how large is the package?"""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import harness
import numpy as np
from harness import Timing

REPEATS = 21
PROGRAMS = {
    "import torch": "import torch",
    "import pyqmix": "import pyqmix",
    "import pyqmix; pyqmix.train": "import pyqmix; pyqmix.train",
    "import pyqmix.ops, pyqmix.nn": "import pyqmix.ops, pyqmix.nn",
    "the entry point of pyqmix-train --help": (
        "import sys, pyqmix.cli.start as start; sys.argv[1:] = ['--help']; start.train()"
    ),
}


def start(program: str) -> None:
    """Run it in an interpreter of its own, away from the source tree."""
    subprocess.run([sys.executable, "-c", program], cwd="/", check=True, stdout=subprocess.DEVNULL)


def installed_bytes() -> dict[str, int]:
    """Return the sizes of the compiled module and of all other files of the package."""
    sizes = {"compiled module": 0, "other files": 0}
    for file in metadata.files("pyqmix-marl") or ():
        if file.suffix != ".pyc":
            sizes["compiled module" if file.suffix == ".so" else "other files"] += (
                Path(file.locate()).stat().st_size
            )
    return sizes


def of_torch(timing: Timing, torch: Timing) -> str:
    """Write the ratio to torch's import: the median over rounds, with quartiles."""
    ratios = np.divide(timing.seconds, torch.seconds)
    low, high = np.quantile(ratios, [0.25, 0.75])
    return f"{np.median(ratios):.2f} ({low:.2f}-{high:.2f})"


def main() -> None:
    """Measure, then write."""
    times = harness.interleave({name: lambda code=code: start(code) for name, code in PROGRAMS.items()}, REPEATS)
    torch, sizes = times["import torch"], installed_bytes()
    rows = [[f"`{name}`", str(timing), of_torch(timing, torch)] for name, timing in times.items()]
    text = (
        f"Whole processes, {REPEATS} of each in turns, medians with quartiles.\n\n"
        + harness.table(["process", "ms", "of `import torch`"], rows)
        + "\nInstalled: "
        + ", ".join(f"{name} {size / 2**20:.2f} MiB" for name, size in sizes.items())
        + ".\n"
    )
    seconds = {name: [round(s, 4) for s in timing.seconds] for name, timing in times.items()}
    harness.report("imports", text, {"seconds": seconds, "bytes": sizes}, "python benchmarks imports")
