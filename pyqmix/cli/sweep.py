"""``pyqmix-sweep``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence, Set
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from pyqmix.base.cores import AUTO, usable_cores
from pyqmix.base.errors import ConfigError
from pyqmix.base.signals import catch, exit_code
from pyqmix.cli.parsing import NAMES, USER_ERRORS, fail, import_from_here, option_style, parse

if TYPE_CHECKING:
    from pyqmix.sweep.plan import Plan
    from pyqmix.sweep.planned import PlannedRun
    from pyqmix.sweep.runner import Outcome, Stop
    from pyqmix.sweep.starters import Starter

PROGRAM = "pyqmix-sweep"


@dataclass(frozen=True)
class Options:
    """Train every task with every combination of options and every seed, each run in a process of its own.

    FILE.yaml has options as of pyqmix-train (total_steps: 50000) and the keys task (one or a list), seeds
    ([1, 2, 3] or 0:10), grid (mixer: [qmix, vdn]), variants (sets of options with names: {plain: {}, fast:
    {preset: lbf-fast, lr: 1e-3}}, each with every setting of the grid; one that has a task has it alone),
    random or optuna (trials: 20, space: {lr: {log_uniform: [1e-4, 1e-2]}, hidden_dim: [64, 128]}) and
    preset. Options of pyqmix-train may also stand behind --, and replace the file's, as in

    pyqmix-sweep --out DIR --seeds 0:5 --grid mixer=qmix,vdn -- --env lbf --total-steps 50000

    The same command again goes on with a sweep that was stopped or killed. DIR gets runs/, logs/ and the results.
    """

    file: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="[FILE.yaml]")] = None
    """The sweep."""
    out: Annotated[str | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of the sweep: a new one, or that of the same sweep. Must be given."""
    jobs: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Runs at a time. Default: the cores that this process may use; on a cluster, all runs."""
    seeds: Annotated[tuple[str, ...], tyro.conf.arg(metavar="SEED...")] = ()
    """Seeds, as 1 2 3 or 0:10."""
    task: Annotated[tuple[str, ...], tyro.conf.arg(metavar="TASK...")] = ()
    """Tasks."""
    grid: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=VALUE,VALUE...")] = ()
    """Options whose values are combined."""
    preset: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """Preset of every run."""
    slurm: Annotated[str | None, tyro.conf.arg(metavar="NAME=VALUE,...")] = None
    """Run as jobs of slurm, with these parameters, as partition=gpu,time=120 (minutes); needs the extra slurm."""
    ray_address: Annotated[str | None, tyro.conf.arg(metavar="ADDRESS")] = None
    """Run on the workers of a cluster of Ray: auto, HOST:PORT or local (this machine); needs the extra ray."""
    trust: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Import the modules that the file names, which otherwise must be named on the command line."""


def main() -> None:
    """Sweep as the command line says."""
    arguments = sys.argv[1:]
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options, of_runs = parse(Options, PROGRAM, arguments[:end]), arguments[end + 1 :]
    if options.out is None:
        fail(PROGRAM, "--out: expected a folder for the sweep, got none")
    try:
        outcomes, stop = _sweep(options, Path(os.path.expanduser(options.out)), of_runs)
    except USER_ERRORS as error:
        fail(PROGRAM, option_style(error, Options), error)
    states = {each.state for each in outcomes}
    if stop.count:
        print(f"{PROGRAM}: interrupted; the same command goes on with it", file=sys.stderr)
        sys.exit(exit_code(stop.first))
    if not states <= {"ended", "pruned"}:
        sys.exit(1)


def _sweep(options: Options, out: Path, of_runs: Sequence[str]) -> tuple[list[Outcome], Stop]:
    from pyqmix.sweep.runner import Stop
    from pyqmix.sweep.sweep import run_sweep

    if options.slurm is not None and options.ray_address is not None:
        raise ConfigError("ray_address: expected it without --slurm, got both")
    plan, runs = _planned(options, of_runs)
    if options.ray_address is not None:
        _require_own_clusters(runs)
    cores = usable_cores()
    on_cluster = options.slurm is not None or options.ray_address is not None
    default, most = (len(runs) or cores, None) if on_cluster else (min(len(runs) or cores, cores), cores)
    jobs = default if options.jobs is None else options.jobs
    if jobs < 1:
        raise ConfigError(f"jobs: expected an integer of at least 1, got {jobs}")
    if most is not None and jobs > most:
        raise ConfigError(f"jobs: expected 1 to {most}, the cores that this process may use, got {jobs}")
    of_plan = plan.options.get("threads", 1)
    cpus = 1 if of_plan == AUTO else int(of_plan)  # of a run on a cluster
    alone = AUTO if jobs == 1 else max(1, cores // jobs)
    threads = cpus if on_cluster else alone
    stop = Stop()
    with _starter(options, out, cpus) as starter:
        catch(stop)
        return run_sweep(plan, runs, out, starter, jobs, threads, stop), stop


def _require_own_clusters(runs: Sequence[PlannedRun]) -> None:
    """Refuse runs on a cluster that play there too, because they would wait for CPUs that the others hold."""
    for run in runs:
        if run.config.rollout == "ray" and run.config.ray_address != "local":
            raise ConfigError(
                f"ray_address: expected local for the players of a run that is itself on a Ray cluster, got "
                f"{run.config.ray_address} for {run.name}"
            )


def _starter(options: Options, out: Path, cpus: int) -> AbstractContextManager[Starter]:
    """Choose where the runs are started."""
    if options.slurm is not None:
        from pyqmix.sweep.slurm import slurm

        return nullcontext(slurm(options.slurm, (out / "logs" / "slurm").absolute(), cpus))
    if options.ray_address is not None:
        from pyqmix.sweep.ray_starter import ray_starter

        return ray_starter(options.ray_address, lambda line: print(f"{PROGRAM}: {line}", file=sys.stderr))
    from pyqmix.sweep.starters import LocalStarter

    return nullcontext(LocalStarter())


def _planned(options: Options, of_runs: Sequence[str]) -> tuple[Plan, list[PlannedRun]]:
    """Read the sweep from file and command line, and check it."""
    from pyqmix.base.yaml_files import read_options
    from pyqmix.sweep.arguments import read_arguments, read_grid, read_seeds_arguments
    from pyqmix.sweep.plan import read_plan
    from pyqmix.sweep.planned import check_plan

    if options.file is None and not (of_runs or options.grid or options.seeds or options.task):
        raise ConfigError("expected FILE.yaml, or --seeds, --task, --grid or options behind --, got none")
    values: dict[str, Any] = {}
    if options.file is not None:
        values = read_options(Path(os.path.expanduser(options.file)), "a sweep in YAML", "seeds: 0:5")
    given = read_arguments(of_runs)
    grid = read_grid(options.grid)
    instead: dict[str, Any] = dict(given)
    if options.task:
        instead["task"] = list(options.task)
    if options.preset is not None:
        instead["preset"] = options.preset
    values = {**_without(values, instead.keys() | grid.keys()), **instead}
    if options.seeds:
        values["seeds"] = read_seeds_arguments(options.seeds)
    if options.grid and isinstance(of_file := values.get("grid") or {}, dict):  # read_plan refuses others
        values["grid"] = {**of_file, **grid}
    names = {str(given[name]) for name in NAMES if name in given} | set(options.task)
    import_from_here(names, options.trust)
    try:
        plan = read_plan(values)
        trust = options.file is None or options.trust or frozenset(names)
        return plan, check_plan(plan, Path(options.file or "the command line"), trust)
    except ConfigError as error:
        if options.file is None or str(error).startswith(options.file):
            raise
        raise ConfigError(f"{options.file}: {error}") from error


def _without(values: dict[str, Any], names: Set[str]) -> dict[str, Any]:
    """Leave out options of a file, and of its variants, in whose place the command line has others."""
    kept = {name: value for name, value in values.items() if name not in names}
    if isinstance(variants := kept.get("variants"), dict):
        kept["variants"] = {
            name: _without(each, names) if isinstance(each, dict) else each for name, each in variants.items()
        }
    return kept


if __name__ == "__main__":
    main()
