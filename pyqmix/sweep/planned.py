"""The runs of a sweep: their options, checked, and the names of their folders."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyqmix.base.errors import ConfigError, near
from pyqmix.base.options import option_names
from pyqmix.config import PRESETS, Config, from_preset
from pyqmix.config.options import RunOptions
from pyqmix.config.parts import REGISTRIES, require_known
from pyqmix.config.trust import Trust, require_trusted_name, require_trusted_values
from pyqmix.envs import FAMILIES, env_family
from pyqmix.sweep.plan import Plan, Setting

_LONGEST_VALUE, _LONGEST_NAME = 40, 200


@dataclass(frozen=True)
class PlannedRun:
    """A run of a sweep.

    Attributes:
        name: of its folder: task, the options in which runs differ, and seed.
        setting: these options.
        preset: of the run; None is the environment's.
        options: all options that the sweep sets, with task and seed.
        config: the options of the run, but for its folder and its threads.
    """

    name: str
    setting: Setting
    preset: str | None
    options: Mapping[str, Any]
    config: Config


def plan_runs(plan: Plan, settings: Iterable[Setting]) -> list[PlannedRun]:
    """Make the runs of some settings: every task and every seed.

    Raises:
        ConfigError: an option is unknown or has no usable value.
    """
    runs = [
        _planned(plan, setting, task, seed) for setting in settings for task in plan.tasks for seed in plan.seeds
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
    _require_known_names(plan)
    settings = plan.settings() if plan.optuna is None else _extremes(plan.optuna.space)
    for setting in settings:
        _require_trust(plan, setting, source, trust)
    runs = plan_runs(plan, settings)
    tried = set()
    for option, name in {(o, str(getattr(run.config, o))) for run in runs for o in REGISTRIES}:
        require_known(source, option, name)
    for run in runs:
        options = run.config.env_options()
        if repr(options) not in tried:
            tried.add(repr(options))
            with _naming(run.setting):
                run.config.create_env().close()
    return runs if plan.optuna is None else []


def known_options() -> tuple[str, ...]:
    """Return the names of the options that runs of some environment have."""
    of_envs = (name for family in FAMILIES.values() for name in family.option_names)
    return tuple(dict.fromkeys([*option_names(RunOptions), *of_envs]))


def _require_known_names(plan: Plan) -> None:
    spaces = [search.space for search in (plan.random, plan.optuna) if search is not None]
    known = known_options()
    for name in [*plan.options, *plan.grid, *(name for space in spaces for name in space)]:
        if name not in known:
            raise ConfigError(f"unknown option {name!r}{near(name, known)}")


def _require_trust(plan: Plan, setting: Setting, source: Path, trust: Trust) -> None:
    if trust is True:
        return
    values = {**PRESETS.get(plan.preset or "", {}), **plan.options, **setting}
    for option in REGISTRIES:
        if isinstance(name := values.get(option), str):
            require_trusted_name(source, option, name, trust)
    own = {**plan.options, **setting, "env": values.get("env", Config.env)}
    for task in plan.tasks:
        require_trusted_values(source, {**own, **({} if task is None else {"task": task})}, trust)


def _planned(plan: Plan, setting: Setting, task: str | None, seed: int) -> PlannedRun:
    options = {**plan.options, **setting, **({} if task is None else {"task": task}), "seed": seed}
    with _naming(setting):
        config = from_preset(plan.preset, **options)
    if config.task_name is None and (default := env_family(config.env).default_task) is not None:
        config = config.replace(task=default)  # as the trainer does
    return PlannedRun(_name(config, setting, seed), setting, plan.preset, options, config)


class _naming:  # noqa: N801 (a context manager)
    """Gives an error about a combination of options the setting to which it belongs."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ConfigError) and self._setting:
            raise ConfigError(f"{error} (where {describe(self._setting)})") from error


def describe(setting: Setting) -> str:
    """Write a setting for people: ``mixer=vdn,lr=0.001``."""
    return ",".join(f"{name}={_text(value)}" for name, value in setting.items())


def _name(config: Config, setting: Setting, seed: int) -> str:
    task = (config.task_name or config.env).rpartition(":")[2]
    parts = [task, *(f"{name}={_text(value)}" for name, value in setting.items()), f"seed={seed}"]
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
        else PlannedRun(
            f"{run.name},{_digest(dict(run.options))}", run.setting, run.preset, run.options, run.config
        )
        for run in runs
    ]


def _extremes(space: Mapping[str, Any]) -> list[Setting]:
    """Return settings in which every end of every range, and every choice, occurs."""
    middle = {name: each.ends()[0] for name, each in space.items()}
    return [{**middle, name: end} for name, each in space.items() for end in each.ends()]
