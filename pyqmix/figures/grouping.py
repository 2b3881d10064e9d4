"""Groups of runs that differ in their seeds alone, and the names of these groups."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyqmix.base.errors import ConfigError
from pyqmix.base.printable import one_line
from pyqmix.figures.stored_run import Run

LONGEST_LABEL = 60

# Options that do not change what is learned; a budget changes for how long.
_NO_DIFFERENCE = {
    *("env", "task", "seed", "run_dir", "total_steps", "num_workers", "step_timeout", "rollout", "ray_address"),
    *("eval_every", "eval_episodes", "log_every", "checkpoint_every", "checkpoint_replay", "keep_checkpoints"),
    *("device", "replay_device", "backend", "threads", "loggers", "project"),
}
_NO_DIFFERENCE_EPYMARL = {
    *("env", "env_args", "task", "seed", "t_max", "name", "label", "use_cuda", "unique_token", "hypergroup"),
    *("test_interval", "test_nepisode", "test_greedy", "log_interval", "runner_log_interval"),
    *("learner_log_interval", "use_tensorboard", "use_wandb", "save_model", "save_model_interval"),
    *("checkpoint_path", "load_step", "evaluate", "render", "save_replay", "local_results_path", "repeat_id"),
}


@dataclass(frozen=True)
class Group:
    """Runs of one algorithm.

    Attributes:
        label: the options in which it differs from the other groups, cut where they are many.
        options: likewise, not cut.
        runs: over tasks and seeds.
    """

    label: str
    options: str
    runs: list[Run]


def group_runs(runs: Sequence[Run], labels: Mapping[str, str] | None = None) -> list[Group]:
    """Group runs by the options in which they differ, in the order of the first run of each group.

    Only a difference between runs of the same task counts: options that each task sets for itself make no group.
    Nor does an option that has one value in all runs that have it, if others lack it, as those of older versions.
    Variants of a sweep that meet on a task form groups of their own: by their names, and by differences between
    their runs. So do runs of EPyMARL, by the name of the algorithm.

    Args:
        runs: of any tasks.
        labels: names in place of the groups' own.

    Raises:
        ConfigError: ``labels`` has a name that no group has.
    """
    several = len({run.source for run in runs}) > 1
    variants = _variants_meet(runs)
    of_kinds: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        of_kinds.setdefault(_kind(run, variants), []).append(run)
    differing = {kind: _differing(of_kind) for kind, of_kind in of_kinds.items()}
    groups: dict[str, list[Run]] = {}
    for run in runs:
        kind = _kind(run, variants)
        groups.setdefault(_label(run, kind, differing[kind], several), []).append(run)
    found = [Group(_shortened(label, k), label, of) for k, (label, of) in enumerate(groups.items(), 1)]
    return _renamed(found, labels or {})


def _variants_meet(runs: Sequence[Run]) -> bool:
    """Whether runs of the same task have different variants; else each variant has tasks of its own."""
    variants: dict[str, set[str]] = {}
    for run in runs:
        variants.setdefault(run.task, set()).add(run.variant)
    return any(len(of_task) > 1 for of_task in variants.values())


def _kind(run: Run, variants: bool) -> tuple[str, str]:
    """Return the source of a run, and its variant, or its algorithm where the source has options for each."""
    if run.source == "pyqmix":
        return run.source, run.variant if variants else ""
    return run.source, str(run.options.get("name", "?"))


def _differing(runs: Sequence[Run]) -> list[str]:
    """Name the options of which two runs of the same task have different values, in the order of their files."""
    skipped = _NO_DIFFERENCE if runs[0].source == "pyqmix" else _NO_DIFFERENCE_EPYMARL
    names = dict.fromkeys(name for run in runs for name in run.options if name not in skipped)
    tasks = dict.fromkeys(run.task for run in runs)
    values = {(name, task): set[str]() for name in names for task in tasks}
    for run in runs:
        for name in run.options.keys() & names:
            values[name, run.task].add(_text(run.options[name]))
    return [name for name in names if any(len(values[name, task]) > 1 for task in tasks)]


def _label(run: Run, kind: tuple[str, str], differing: Sequence[str], several_sources: bool) -> str:
    source, name = kind
    told = [option for option in differing if option in run.options]
    parts = [f"{option}={_text(run.options[option])}" for option in told]
    if source != "pyqmix":
        return ", ".join([f"{source} {name}" if several_sources else name, *parts])
    if len(differing) == 1 and told and isinstance(value := run.options[told[0]], str) and not value.endswith("%"):
        parts = [value]  # a number, a share of the run or a flag alone would not say what it is
    if name:
        parts = [name, *parts]
    return ", ".join(parts) or str(run.options.get("mixer", "all runs"))


def _shortened(label: str, number: int) -> str:
    """Make one line of a label; one that is cut gets a number, so that it still differs from the others."""
    line = one_line(label, LONGEST_LABEL)
    return line if line == label else f"{line} #{number}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _renamed(groups: Sequence[Group], labels: Mapping[str, str]) -> list[Group]:
    known = [group.label for group in groups]
    if unknown := sorted(labels.keys() - set(known)):
        raise ConfigError(f"label: there is no group {unknown[0]!r}, only {', '.join(map(repr, known))}")
    merged: dict[str, list[Group]] = {}
    for group in groups:
        merged.setdefault(labels.get(group.label, group.label), []).append(group)
    return [
        Group(label, of[0].options, [run for group in of for run in group.runs]) for label, of in merged.items()
    ]
