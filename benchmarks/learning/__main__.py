"""Trains the lines of a sweep file, seed by seed, and reports what was learned.

    python benchmarks/learning evidence                 what sweeps/evidence.json has and results lack
    python benchmarks/learning evidence lbf-fast 8x8    only lines whose name has one of the words
    python benchmarks/learning evidence --report        train nothing, write table and figure anew

A line is a set of options for ``pyqmix-train``; each of its seeds is one row of ``results/NAME.csv``, with the
evaluations on the way in ``results/NAME_curves.csv``. A sweep measures returns, or win rates where its ``measure``
says ``win_rate``. A row that is there is not trained again: delete it to
repeat it. Wall time is the whole command's, from its start to its end.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from pyqmix import from_preset
from pyqmix.base.seeding import Stream
from pyqmix.learn.learner import Learner
from pyqmix.play.create import create_rollout
from pyqmix.run.evaluate import evaluate_run

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this folder is the program

from harness import RESULTS
from learning.learning_report import write_report
from learning.tasks_report import task_of, write_tasks_report

HERE = Path(__file__).parent
FINAL_EPISODES, FINAL_SEED = 1_000, 1_000_000


@dataclass(frozen=True)
class Row:
    """What one seed of a line brought.

    Attributes:
        line: the line's name.
        seed: of the run.
        steps: environment steps.
        updates: training steps.
        wall_seconds: of the whole command.
        cpu_seconds: processor time of the whole command.
        load: the machine's load average of the last minute when it ended: more than the command's own tells
            that other work took part of the wall time.
        final: greedy return, or win rate, over the sweep's ``final_episodes`` (1,000) at the end.
        best: the highest one of the evaluations on the way.
    """

    line: str
    seed: int
    steps: int
    updates: int
    wall_seconds: float
    cpu_seconds: float
    load: float
    final: float
    best: float


@dataclass(frozen=True)
class Point:
    """An evaluation on the way: its return, or win rate."""

    line: str
    seed: int
    steps: int
    wall_seconds: float
    greedy_return: float


@dataclass(frozen=True)
class RandomPolicy:
    """The mean return, or win rate, of a random policy over episodes of a task."""

    task: str
    mean: float
    episodes: int


def main() -> None:
    """Train what is missing, then report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("sweep", help="a file of benchmarks/learning/sweeps/, without .json")
    parser.add_argument("words", nargs="*", help="only lines whose name has one of these words")
    parser.add_argument("--seeds", type=int, nargs="+", help="in place of the sweep's")
    parser.add_argument("--report", action="store_true", help="train nothing")
    arguments = parser.parse_args()
    sweep = json.loads((HERE / "sweeps" / f"{arguments.sweep}.json").read_text())
    results = RESULTS / f"{arguments.sweep}.csv"
    curves = results.with_name(f"{arguments.sweep}_curves.csv")
    random = results.with_name(f"{arguments.sweep}_random.csv")
    episodes, wins = sweep.get("final_episodes", FINAL_EPISODES), sweep.get("measure") == "win_rate"
    if not arguments.report:
        for line, seed in missing(sweep, arguments.words, arguments.seeds, results):
            options = {**sweep["options"], **sweep["lines"][line]}
            if sweep["figure"] == "tasks" and task_of(line) not in {row["task"] for row in read(random)}:
                append(random, [random_policy(task_of(line), options, episodes, wins)])
            row, points = train_line(line, seed, options, episodes, wins)
            append(curves, points)
            append(results, [row])
            print(f"{line} seed {seed}: {row.final:.4f} after {row.wall_seconds:.0f} s", flush=True)
    if sweep["figure"] == "tasks":
        write_tasks_report(arguments.sweep, sweep, read(results), read(curves), read(random))
    else:
        write_report(arguments.sweep, sweep, read(results), read(curves))


def missing(
    sweep: dict[str, Any], words: list[str], seeds: list[int] | None, results: Path
) -> Iterator[tuple[str, int]]:
    """Name the lines and seeds that have no row yet; a line's seeds follow one another."""
    for line in sweep["lines"]:
        for seed in seeds or sweep["seeds"]:
            wanted = not words or any(word in line for word in words)
            if wanted and not any((r["line"], int(r["seed"])) == (line, seed) for r in read(results)):
                yield line, seed


def random_policy(task: str, options: dict[str, Any], episodes: int, wins: bool) -> RandomPolicy:
    """Play the episodes that trained policies are evaluated on by available actions alone, drawn uniformly."""
    config = from_preset(**options)
    world = config.create_env()
    world.close()
    agent = Learner(world.spec, config).agent
    rollout = create_rollout(config, agent, FINAL_SEED, Stream.EVALUATION, config.num_envs)
    played = rollout.play(0, episodes, epsilon=1.0)
    rollout.close()
    return RandomPolicy(task, float(np.mean(played.won if wins else played.returns)), episodes)


def train_line(
    line: str, seed: int, options: dict[str, Any], episodes: int = FINAL_EPISODES, wins: bool = False
) -> tuple[Row, list[Point]]:
    """Run ``pyqmix-train`` as a user would, and evaluate what it leaves."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "run"
        command = [str(Path(sys.executable).parent / "pyqmix-train"), *as_arguments(options)]
        start, cpu = time.monotonic(), _child_seconds()
        subprocess.run(
            [*command, "--seed", str(seed), "--run-dir", str(folder)],
            cwd=scratch,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        wall, cpu, load = time.monotonic() - start, _child_seconds() - cpu, os.getloadavg()[0]
        summary = json.loads((folder / "summary.json").read_text())
        measured = "eval_win_rate" if wins else "eval_return_mean"
        points = [
            Point(line, seed, int(r["steps"]), float(r["wall_seconds"]), float(r[measured]))
            for r in read(folder / "metrics.csv")
            if r[measured]
        ]
        evaluation = evaluate_run(folder, episodes, FINAL_SEED)
        final = float(evaluation.win_rate) if wins else evaluation.mean
    best = max(point.greedy_return for point in points)
    counts = summary["total_steps"], summary["updates"]
    return Row(line, seed, *counts, round(wall, 2), round(cpu, 2), round(load, 2), final, best), points


def as_arguments(options: dict[str, Any]) -> list[str]:
    """Write options as on the command line."""
    arguments = []
    for name, value in options.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            arguments.append(f"--{option}" if value else f"--no-{option}")
        else:
            arguments += [f"--{option}", value if isinstance(value, str) else json.dumps(value)]
    return arguments


def read(path: Path) -> list[dict[str, str]]:
    """Read a CSV's rows; none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def append(path: Path, rows: list[Any]) -> None:
    """Add dataclasses to a CSV, whose first line is their names."""
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(rows[0])])
        if new:
            writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def _child_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
