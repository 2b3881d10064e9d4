"""The runs of a sweep: their options, checked, and the names of their folders."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import itertools
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyqmix.base.errors import ConfigError
from pyqmix.config import PRESETS, Config, from_preset
from pyqmix.config.parts import REGISTRIES, require_known
from pyqmix.config.trust import Trust, require_trusted_name, require_trusted_values
from pyqmix.envs import env_family
from pyqmix.sweep.known import require_kind
from pyqmix.sweep.plan import Plan, Setting
from pyqmix.sweep.variants import Variant

_LONGEST_VALUE, _LONGEST_NAME = 40, 200


@dataclass(frozen=True)
class PlannedRun:
    """A run of a sweep.

    Attributes:
        name: of its folder: task, variant, the options in which runs of a variant differ, and seed.
        setting: these options.
        variant: the name of its variant, or nothing.
        preset: of the run; None is the environment's.
        options: all options that the sweep sets, with task and seed.
        config: the options of the run, but for its folder and its threads.
    """

    name: str
    setting: Setting
    variant: str
    preset: str | None
    options: Mapping[str, Any]
    config: Config


def plan_runs(plan: Plan, settings: Sequence[Setting]) -> list[PlannedRun]:
    """Make the runs of some settings: every variant, every task and every seed.

    Raises:
        ConfigError: an option is unknown or has no usable value.
    """
    runs = [
        _planned(plan, variant, setting, task, seed)
        for variant in plan.each_variant()
        for setting in settings
        for task in variant.tasks or plan.tasks
        for seed in plan.seeds
    ]
    return _with_distinct_names(runs)


def check_plan(plan: Plan, source: Path, trust: Trust) -> list[PlannedRun]:
    """Check all options of a sweep before anything starts, and return its runs; of Optuna, none.

    Args:
        plan: the sweep.
        source: its file, for messages about trust.
        trust: the names in it by which something may be imported, as of :meth:`Config.from_json`.

    Raises:
        ConfigError: an option is unknown, has no usable value, or is not trusted; a task is unknown.
    """
    if plan.optuna is not None and importlib.util.find_spec("optuna") is None:
        raise ConfigError("optuna: expected Optuna: pip install 'pyqmix-marl[optuna]'")
    spaces = [search.space for search in (plan.random, plan.optuna) if search is not None]
    variants = [variant.options for variant in plan.variants.values()]
    for name in itertools.chain(plan.options, plan.grid, *spaces, *variants):
        require_kind(name)
    settings = plan.settings() if plan.optuna is None else _extremes(plan.optuna.space)
    for variant, setting in itertools.product(plan.each_variant(), settings):
        _require_trust(plan, variant, setting, source, trust)
    runs = plan_runs(plan, settings)
    tried = set()
    for option, name in {(o, str(getattr(run.config, o))) for run in runs for o in REGISTRIES}:
        require_known(source, option, name)
    for run in runs:
        options = run.config.env_options()
        if repr(options) not in tried:
            tried.add(repr(options))
            with _naming(run.variant, run.setting):
                run.config.create_env().close()
    return runs if plan.optuna is None else []


def _require_trust(plan: Plan, variant: Variant, setting: Setting, source: Path, trust: Trust) -> None:
    if trust is True:
        return
    options = {**plan.options, **variant.options, **setting}
    values = {**PRESETS.get(variant.preset or plan.preset or "", {}), **options}
    for option in REGISTRIES:
        if isinstance(name := values.get(option), str):
            require_trusted_name(source, option, name, trust)
    own = {**options, "env": values.get("env", Config.env)}
    for task in variant.tasks or plan.tasks:
        require_trusted_values(source, {**own, **({} if task is None else {"task": task})}, trust)


def _planned(plan: Plan, variant: Variant, setting: Setting, task: str | None, seed: int) -> PlannedRun:
    own, preset = {**plan.options, **variant.options, **setting}, variant.preset or plan.preset
    options = {**own, **({} if task is None else {"task": task}), "seed": seed}
    with _naming(variant.name, setting):
        config = from_preset(preset, **options)
    if config.task_name is None and (default := env_family(config.env).default_task) is not None:
        config = config.replace(task=default)  # as the trainer does
    return PlannedRun(_name(config, variant.name, setting, seed), setting, variant.name, preset, options, config)


class _naming:  # noqa: N801 (a context manager)
    """Gives an error about a combination of options the variant and the setting to which it belongs."""

    def __init__(self, variant: str, setting: Setting) -> None:
        self._where = ", ".join(filter(None, (variant, describe(setting))))

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ConfigError) and self._where:
            raise ConfigError(f"{error} (where {self._where})") from error


def describe(setting: Setting) -> str:
    """Write a setting for people: ``mixer=vdn,lr=0.001``."""
    return ",".join(f"{name}={_text(value)}" for name, value in setting.items())


def _name(config: Config, variant: str, setting: Setting, seed: int) -> str:
    task = (config.task_name or config.env).rpartition(":")[2]
    named = [task, variant] if variant else [task]
    parts = [*named, *(f"{name}={_text(value)}" for name, value in setting.items()), f"seed={seed}"]
    name = ",".join(re.sub(r"[^\w.=+-]", "_", part) for part in parts)
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 40]},{_digest(setting)},seed={seed}"


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return text if len(text) <= _LONGEST_VALUE else _digest(value)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:8]


def _with_distinct_names(runs: list[PlannedRun]) -> list[PlannedRun]:
    """Add a digest to names that are the same because characters were replaced."""
    names = Counter(run.name.casefold() for run in runs)
    return [
        run
        if names[run.name.casefold()] == 1
        else dataclasses.replace(run, name=f"{run.name},{_digest(_distinguishing(run))}")
        for run in runs
    ]


def _distinguishing(run: PlannedRun) -> Any:
    return [run.variant, run.preset, run.options] if run.variant else run.options


def _extremes(space: Mapping[str, Any]) -> list[Setting]:
    """Return settings in which every end of every range, and every choice, occurs."""
    middle = {name: each.ends()[0] for name, each in space.items()}
    return [{**middle, name: end} for name, each in space.items() for end in each.ends()]
