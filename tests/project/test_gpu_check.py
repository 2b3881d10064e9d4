"""benchmarks/gpu_check.sh itself, with stand-ins for the programs that need a GPU."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {
    "nvidia-smi": 'case "$1" in -L) echo "GPU 0: stand-in" ;; *) echo "stand-in, 580.0" ;; esac',
    "nvcc": "true",
    # Runs what it is given; a planted fault is one that the tool sees, unless it is blind.
    "compute-sanitizer": """
        [ "$1 $3 $4" = "--tool --error-exitcode 9" ] || exit 8
        tool=$2; shift 4
        "$@" || { [ "$BLIND" = "$tool" ] && exit 0; echo "========= ERROR SUMMARY: 1 error"; exit 9; }
        echo "========= ERROR SUMMARY: 0 errors" """,
    "python3": f"""
        echo "$*" >>"$CALLS"
        case "$*" in
          *gpu_report.py*) exec {sys.executable} "$@" ;;
          "-P -m pytest"*) echo "$PYTEST" ;;
          *out-of-bounds | *uninitialised) exit 1 ;;
          "benchmarks cuda_update cuda_acting cuda")
            for name in cuda cuda_update cuda_acting; do
              printf '# cuda\\n\\n| a table |\\n' >benchmarks/results/$name.md
            done ;;
        esac""",
}


@pytest.fixture
def check(tmp_path):
    """Run the script on a copy of the sources; returns how it ended and what it did."""
    for name in ("benchmarks", "tests/cuda"):
        shutil.copytree(ROOT / name, tmp_path / "sources" / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "bin").mkdir()
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "a_package-1.whl").touch()
    for name, text in PROGRAMS.items():
        (tmp_path / "bin" / name).write_text(f"#!/usr/bin/env bash\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)

    def run(*arguments, pytest_says="31 passed in 9.70s", blind=""):
        path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
        env = {**os.environ, "PATH": path, "PYTEST": pytest_says, "BLIND": blind, "CALLS": str(tmp_path / "calls")}
        command = ["bash", tmp_path / "sources/benchmarks/gpu_check.sh", *arguments]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    run.folder = tmp_path
    return run


def test_it_runs_every_stage_and_prints_the_table_last(check):
    run = check(check.folder / "wheels")
    assert run.returncode == 0, run.stdout + run.stderr
    results = check.folder / "sources/benchmarks/results"
    content = json.loads((results / "gpu_check.json").read_text())
    stages = ["build", "tests", "memcheck", "racecheck", "initcheck", "synccheck", "benchmark"]
    assert [(s["stage"], s["status"]) for s in content["stages"]] == [(stage, 0) for stage in stages]
    assert content["gpu"] == "stand-in, 580.0"
    assert "memcheck sees the planted fault: out-of-bounds" in content["stages"][2]["detail"]
    assert run.stdout.rstrip().endswith("| a table |")
    assert "| a table |" in (results / "gpu_check.md").read_text()
    calls = (check.folder / "calls").read_text()
    assert "--no-index" in calls
    assert "a_package-1.whl" in calls


@pytest.mark.parametrize(
    ("how", "stage"),
    [({"pytest_says": "30 passed, 1 skipped"}, "tests"), ({"blind": "initcheck"}, "initcheck")],
)
def test_what_did_not_run_or_see_its_fault_fails(check, how, stage):
    run = check(check.folder / "wheels", "build", "tests", "initcheck", **how)
    assert run.returncode == 1
    assert f"| {stage} | failed |" in run.stdout
    assert "| benchmark | not run |" in run.stdout


def test_an_unknown_stage_is_named(check):
    run = check(check.folder / "wheels", "tets")
    assert run.returncode == 1
    assert run.stderr == (
        "gpu_check: expected stages of build tests memcheck racecheck initcheck synccheck benchmark, got tets\n"
    )
