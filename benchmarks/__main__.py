"""Runs benchmarks by name: ``python benchmarks [NAME...]``; all of them without a name, those on a GPU aside."""

from __future__ import annotations

import importlib
import os
import sys

# Before torch is loaded: its threads wait busily for each other by default, and would hold a core of this
# machine while the other candidates are timed.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

ON_GPU = {"cuda": "cuda_ops"}  # run by name only; a file cuda.py would hide NVIDIA's package of that name
BENCHMARKS = ("gru", "mixing", "mix_error", "ring", "rollout", "td_target", "train", "two_step")


def main() -> None:
    """Run what the command line names."""
    names = sys.argv[1:] or list(BENCHMARKS)
    for name in names:
        if name not in (*BENCHMARKS, *ON_GPU):
            sys.exit(
                f"python benchmarks: error: expected names of {', '.join((*BENCHMARKS, *ON_GPU))}, got {name!r}"
            )
    for name in names:
        print(f"## {name}", flush=True)
        importlib.import_module(ON_GPU.get(name, name)).main()


if __name__ == "__main__":
    main()
