"""Runs benchmarks by name: ``python benchmarks [NAME...]``; all of them without a name."""

from __future__ import annotations

import importlib
import os
import sys

# Before torch is loaded: its threads wait busily for each other by default, and would hold a core of this
# machine while the other candidates are timed.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

BENCHMARKS = ("gru", "mixing", "mix_error", "overlap", "ring", "rollout", "td_target", "train", "two_step")


def main() -> None:
    """Run what the command line names."""
    names = sys.argv[1:] or list(BENCHMARKS)
    for name in names:
        if name not in BENCHMARKS:
            sys.exit(f"python benchmarks: error: expected names of {', '.join(BENCHMARKS)}, got {name!r}")
    for name in names:
        print(f"## {name}", flush=True)
        importlib.import_module(name).main()


if __name__ == "__main__":
    main()
