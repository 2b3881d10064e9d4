"""Gathers what gpu_check.sh found into one short table: ``python benchmarks/gpu/gpu_report.py STAGES``.

STAGES holds NAME.tsv (name, exit status, seconds) and NAME.log of every stage that ran.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[1] / "results"
ORDER = ("build", "tests", "memcheck", "racecheck", "initcheck", "synccheck", "benchmark")
BENCHMARKS = ("cuda", "cuda_update", "cuda_acting")
TELLING = re.compile(r"\d+ passed.*|.*SUMMARY: .*|.*sees the planted fault.*")


def read_stages(folder: Path) -> list[dict[str, Any]]:
    """Read the stages in their order; those that never ran are missing."""
    stages = []
    for name in ORDER:
        if not (folder / f"{name}.tsv").is_file():
            continue
        _, status, seconds = (folder / f"{name}.tsv").read_text().split()
        log = (folder / f"{name}.log").read_text().splitlines()
        told = [line.strip("= ") for line in log if TELLING.fullmatch(line.strip("= "))]
        detail = "; ".join(told) if status == "0" else (log[-1] if log else "")
        stages.append({"stage": name, "status": int(status), "seconds": int(seconds), "detail": detail})
    return stages


def write_report(stages: list[dict[str, Any]], gpu: str, benchmark: str) -> str:
    """Lay the report out in Markdown; ``benchmark`` is the tables of the GPU benchmarks, or empty."""
    rows = [["stage", "result", "s", "what it said"], ["---"] * 4]
    rows += [[s["stage"], "failed" if s["status"] else "passed", str(s["seconds"]), s["detail"]] for s in stages]
    missing = [name for name in ORDER if name not in {s["stage"] for s in stages}]
    rows += [[name, "not run", "", ""] for name in missing]
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return f"{gpu}\n\n{table}\n" + (f"\n{benchmark}\n" if benchmark else "")


def table_of(markdown: str) -> str:
    """Cut the table out of a benchmark's results."""
    return "\n".join(line for line in markdown.splitlines() if line.startswith("|"))


def main() -> None:
    """Gather, print and write."""
    stages = read_stages(Path(sys.argv[1]))
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    gpu = subprocess.run(query, capture_output=True, text=True, check=False).stdout.strip()
    timed = any(s["stage"] == "benchmark" and s["status"] == 0 for s in stages)
    tables = [table_of((RESULTS / f"{name}.md").read_text()) for name in BENCHMARKS] if timed else []
    report = write_report(stages, gpu, "\n\n".join(tables))
    (RESULTS / "gpu_check.md").write_text(f"# gpu_check\n\n{report}\nCommand: `benchmarks/gpu_check.sh WHEELS`\n")
    content = {"gpu": gpu, "stages": stages}
    (RESULTS / "gpu_check.json").write_text(json.dumps(content, indent=1) + "\n")
    print(report)


if __name__ == "__main__":
    main()
