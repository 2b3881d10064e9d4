"""Runs benchmarks by name: ``python benchmarks [NAME...]``; without a name all but those on a GPU or a cluster."""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType

# Before torch is loaded: its threads wait busily for each other by default, and would hold a core of this
# machine while the other candidates are timed.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

ON_GPU = {"cuda": "gpu.cuda_ops", "cuda_update": "gpu.cuda_update", "cuda_acting": "gpu.cuda_acting"}
ON_CLUSTER = {"cluster": "cluster.report"}
BENCHMARKS = {
    "imports": "start.imports",
    "gru": "kernels.gru",
    "mixing": "kernels.mixing",
    "mix_error": "kernels.mix_error",
    "td_target": "kernels.td_target",
    "ring": "replay.ring",
    "ring_kill": "replay.ring_kill",
    "rollout": "replay.rollout",
    "smax": "replay.smax",
    "smax_baselines": "replay.smax_baselines",
    "snapshots": "replay.snapshots",
    "environments_speed": "replay.environments",
    "workers": "replay.workers",
    "overlap": "training.overlap",
    "threads": "training.threads",
    "train": "training.train",
    "two_step": "training.two_step",
}
ALL = {**BENCHMARKS, **ON_GPU, **ON_CLUSTER}


def load(name: str) -> ModuleType:
    """Import a benchmark, or say what it lacks."""
    try:
        return importlib.import_module(ALL[name])
    except ModuleNotFoundError as error:
        missing = str(error.name).partition(".")[0]
        sys.exit(f"python benchmarks: error: {name} needs {missing}, which is missing: pip install '.[bench]'")


def main() -> None:
    """Run what the command line names."""
    names = sys.argv[1:] or list(BENCHMARKS)
    for name in names:
        if name not in ALL:
            sys.exit(f"python benchmarks: error: expected names of {', '.join(ALL)}, got {name!r}")
    modules = [load(name) for name in names]  # all first: what is missing is told before anything is measured
    for name, module in zip(names, modules, strict=True):
        print(f"## {name}", flush=True)
        module.main()


if __name__ == "__main__":
    main()
