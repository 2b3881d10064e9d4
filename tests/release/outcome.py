"""Check the files of a short training run, compare them with a run on another CPU if one is given, and print them.

    python outcome.py RUN_DIR SIMD_LEVEL [OTHER_RUN_DIR]

Other CPUs round otherwise: losses may differ by a thousandth. Random numbers are the same, and so are actions in a
run this short.
"""

import csv
import json
import math
import sys
from pathlib import Path
from typing import Any


def outcome(run: Path) -> dict[str, Any]:
    summary = json.loads((run / "summary.json").read_text())
    with (run / "metrics.csv").open() as rows:
        losses = [float(row["loss"]) for row in csv.DictReader(rows) if row["loss"]]
    return {**summary, "simd": summary["build_info"]["simd"], "loss": losses[-1] if losses else math.nan}


def main(run: str, level: str, *others: str) -> None:
    ours = outcome(Path(run))
    if ours["simd"] != level:
        sys.exit(f"{run}: expected the SIMD level {level}, got {ours['simd']}")
    if ours["updates"] == 0 or not math.isfinite(ours["loss"]):
        sys.exit(f"{run}: expected training steps with a finite loss, got {ours['updates']}, loss {ours['loss']}")
    for theirs in map(outcome, map(Path, others)):
        for name in ("total_steps", "episodes", "updates"):
            if ours[name] != theirs[name]:
                sys.exit(f"{run}: expected {name} {theirs[name]}, got {ours[name]}")
        if not math.isclose(ours["loss"], theirs["loss"], rel_tol=1e-3):
            sys.exit(f"{run}: expected loss {theirs['loss']}, got {ours['loss']}")
    print(
        f"{Path(run).name}: {level}, {ours['total_steps']} steps, {ours['updates']} training steps, "
        f"loss {ours['loss']:.7f}, return {ours['eval_return_mean']:.2f}, {ours['wall_seconds']:.1f} s"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
