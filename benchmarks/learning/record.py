"""The record of a sweep: one row for each run that has ended, its evaluations on the way, and random policies."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

from harness import RESULTS

from pyqmix import Config, ConfigError
from pyqmix.base.seeding import Stream
from pyqmix.base.yaml_files import read_yaml
from pyqmix.figures import read_run
from pyqmix.figures.comparison import RETURN, WIN_RATE
from pyqmix.learn.learner import Learner
from pyqmix.play.create import create_rollout
from pyqmix.play.evaluator import Evaluation
from pyqmix.run.evaluate import evaluate_run
from pyqmix.sweep.command import require_own
from pyqmix.sweep.plan import read_plan
from pyqmix.sweep.planned import plan_runs
from pyqmix.sweep.status import ENDED, read_status

SWEEPS = Path(__file__).parent / "sweeps"
EPISODES, SEED = 1_000, 1_000_000
MEASURES = (RETURN, WIN_RATE)  # the second is empty where the environment does not tell who has won
ROWS = ("run", "steps", "updates", "wall_seconds", "cpu_seconds", "load", "episodes", *MEASURES)
POINTS = ("run", "steps", "wall_seconds", *MEASURES)
RANDOM = ("task", "episodes", *MEASURES)

Rows = list[dict[str, str]]


def sweep_names() -> list[str]:
    """Return the names of the sweeps."""
    return sorted(path.stem for path in SWEEPS.glob("*.yaml"))


class Record:
    """What is recorded of a sweep.

    Attributes:
        name: of the sweep.
        about: the comment at the top of its file.
        runs: all that the file asks for, by their names.
        rows: of the runs that are recorded: seconds, and the values of ``episodes`` greedy episodes at the end.
        points: their evaluations on the way.
        random: the values of random policies by task.
        path: of the rows; the others lie beside it.
    """

    def __init__(self, name: str, results: Path = RESULTS, sweeps: Path = SWEEPS) -> None:
        file = sweeps / f"{name}.yaml"
        plan = read_plan(read_yaml(file))
        comment = takewhile(lambda line: line.startswith("#"), file.read_text().splitlines())
        self.name, self.about = name, "\n".join(line.removeprefix("# ") for line in comment)
        self.runs = {run.name: run for run in plan_runs(plan, plan.settings())}
        self.path = results / f"{name}.csv"
        self._curves, self._random = (results / f"{name}_{what}.csv" for what in ("curves", "random"))
        self.rows = {row["run"]: row for row in _read(self.path) if row["run"] in self.runs}
        self.points = [point for point in _read(self._curves) if point["run"] in self.rows]
        self.random = {row["task"]: row for row in _read(self._random)}

    def add(self, out: Path, episodes: int = EPISODES) -> Iterator[str]:
        """Evaluate the runs of a folder of pyqmix-sweep that have ended and are not recorded, and record them.

        Yields:
            A line for each.

        Raises:
            ConfigError: the folder has no run of the sweep, or a run of other options.
        """
        folders = {name: folder for name in self.runs if (folder := out / "runs" / name).is_dir()}
        if not folders:
            raise ConfigError(f"{out}: expected a folder of the sweep {self.name}, with runs of it")
        for name, folder in folders.items():
            if name not in self.rows and read_status(folder).state == ENDED:
                require_own(folder, self.runs[name])
                yield self._add(name, folder, episodes)

    def _add(self, name: str, folder: Path, episodes: int) -> str:
        values = _values(evaluate_run(folder, episodes, SEED, trust=True))  # its options are the sweep's
        run = read_run(folder)
        assert run.summary is not None
        points = [
            {"run": name, "steps": m.steps, "wall_seconds": m.wall_seconds, **{x: getattr(m, x) for x in MEASURES}}
            for m in run.metrics
            if m.eval_return_mean is not None
        ]
        counts = {"steps": run.summary["total_steps"], "updates": run.summary["updates"], "episodes": episodes}
        row = {"run": name, **counts, "wall_seconds": round(run.summary["wall_seconds"], 2), **values}
        self.points += _append(self._curves, POINTS, points)  # before the row, by which the run counts as recorded
        (self.rows[name],) = _append(self.path, ROWS, [row])
        return f"{name}: " + ", ".join(f"{key} {value:.3f}" for key, value in values.items() if value is not None)

    def add_random(self, episodes: int = EPISODES) -> None:
        """Play the recorded tasks at random, where that is not recorded: uniformly among the available actions."""
        for name in self.rows:
            config = self.runs[name].config
            if (task := task_of(config)) not in self.random:
                row = {"task": task, "episodes": episodes, **_values(_play_at_random(config, episodes))}
                (self.random[task],) = _append(self._random, RANDOM, [row])


def task_of(config: Config) -> str:
    """Name environment and task, with the arguments that the environment gets."""
    arguments = getattr(config, "env_args", None)
    parts = (config.env, config.task_name, json.dumps(arguments) if arguments else None)
    return " ".join(part for part in parts if part is not None)


def _play_at_random(config: Config, episodes: int) -> Evaluation:
    world = config.create_env()
    world.close()
    agent = Learner(world.spec, config).agent
    rollout = create_rollout(config, agent, SEED, Stream.EVALUATION, config.num_envs)
    played = rollout.play(0, episodes, epsilon=1.0)
    rollout.close()
    return Evaluation(played.returns, played.won)


def _values(evaluation: Evaluation) -> dict[str, Any]:
    return {RETURN: evaluation.mean, WIN_RATE: evaluation.win_rate}


def _read(path: Path) -> Rows:
    """Read a CSV's rows; none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _append(path: Path, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> Rows:
    """Add rows to a CSV; return them as they will be read."""
    texts = [{name: "" if row.get(name) is None else str(row[name]) for name in columns} for row in rows]
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerows(texts)
    return texts
