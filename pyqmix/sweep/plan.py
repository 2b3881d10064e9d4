"""The content of a sweep file: options, and the variants, tasks, settings and seeds that are combined."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pyqmix.base.errors import ConfigError, near
from pyqmix.base.options import require_int
from pyqmix.sweep.space import Distribution, read_distribution
from pyqmix.sweep.variants import Variant, read_tasks, read_variants, require_distinct

MOST_RUNS, MOST_TRIALS = 10_000, 10_000
KEYS = ("preset", "task", "seeds", "variants", "grid", "random", "optuna")
_INSTEAD = {"seed": "seeds", "run_dir": "--out"}
_SEARCH = ("trials", "seed", "space")
_OPTUNA = (*_SEARCH, "metric", "pruning")
METRICS = ("eval_return_mean", "eval_win_rate")

Setting = dict[str, Any]
"""The options of a run in which it differs from others of its variant, but for task and seed."""


@dataclass(frozen=True)
class Search:
    """A search over options.

    Attributes:
        trials: number of settings that are tried.
        space: the options' distributions.
        seed: of the draws.
        metric: of Optuna, the value that it maximises: the mean over tasks and seeds of the last evaluation's.
        pruning: of Optuna, whether a trial ends early that is worse than the median of those before it.
    """

    trials: int
    space: dict[str, Distribution]
    seed: int = 0
    metric: str = METRICS[0]
    pruning: bool = True


@dataclass(frozen=True)
class Plan:
    """Runs: variants × settings × tasks × seeds.

    Attributes:
        options: of every run.
        preset: of every run.
        tasks: of the environment; None is its default.
        seeds: of the runs.
        variants: named sets of options, which replace those of every run.
        grid: the values of options that are combined.
        random: a random search in place of a grid's settings, or with each of them.
        optuna: a search by Optuna, without a grid.
    """

    options: Setting
    preset: str | None = None
    tasks: tuple[str | None, ...] = (None,)
    seeds: tuple[int, ...] = (0,)
    variants: dict[str, Variant] = field(default_factory=dict)
    grid: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    random: Search | None = None
    optuna: Search | None = None

    def each_variant(self) -> list[Variant]:
        """Return the variants, or one that changes nothing where there are none."""
        return list(self.variants.values()) or [Variant()]

    def settings(self) -> list[Setting]:
        """Return the grid's settings, each with every draw of the random search; Optuna's are not known before."""
        product = itertools.product(*self.grid.values())
        grid = [dict(zip(self.grid, values, strict=True)) for values in product]
        return [{**setting, **drawn} for setting in grid for drawn in self._draws()]

    def _draws(self) -> Iterator[Setting]:
        if self.random is None:
            yield {}
            return
        for trial in range(
            self.random.trials
        ):  # a stream for each, so that a longer search has the same first ones
            generator = np.random.default_rng([self.random.seed, trial])
            yield {name: each.draw(generator) for name, each in self.random.space.items()}


def read_plan(values: Mapping[str, Any]) -> Plan:
    """Read a sweep from the content of its file, without a check of the options' values.

    Args:
        values: ``task`` (one or a list), ``seeds`` (a list, or text as ``0:10``), ``variants`` (names, each with
            options that are set together, among them ``preset`` and ``task``), ``grid`` (options, each with a list
            of values), ``random`` or ``optuna`` (``trials``, ``space``, ``seed``; of Optuna also ``metric`` and
            ``pruning``), ``preset``; all others are options of the runs.

    Raises:
        ConfigError: one of them is not as it must be; the message names it.
    """
    _require_names(values)
    for name, instead in _INSTEAD.items():
        if name in values:
            raise ConfigError(f"{name}: a sweep has {instead} in its place, got {values[name]!r}")
    options = {name: value for name, value in values.items() if name not in KEYS}
    random, optuna = (_search(key, values.get(key)) for key in ("random", "optuna"))
    plan = Plan(
        options,
        _preset(values.get("preset")),
        read_tasks(values.get("task")),
        read_seeds(values.get("seeds", [0])),
        read_variants(values.get("variants"), (*KEYS, *_INSTEAD)),
        _grid(values.get("grid")),
        random,
        optuna,
    )
    if optuna is not None and (random is not None or plan.grid or plan.variants):
        raise ConfigError("optuna: expected it without grid and random, whose place its space takes, and variants")
    _require_apart(plan)
    tasks = sum(len(variant.tasks or plan.tasks) for variant in plan.each_variant())
    runs = tasks * len(plan.seeds) * len(plan.settings())
    if runs > MOST_RUNS:
        raise ConfigError(f"grid: expected at most {MOST_RUNS:,} runs, got {runs:,}")
    return plan


def read_seeds(value: object) -> tuple[int, ...]:
    """Read seeds: a list of integers, or text as ``0:10``, whose end is left out as in Python.

    Raises:
        ConfigError: they are something else, or none, or one stands twice.
    """
    if isinstance(value, str) and (match := re.fullmatch(r"(\d{1,18}):(\d{1,18})", value)):
        first, end = map(int, match.groups())
        if not 0 < end - first <= MOST_RUNS:
            raise ConfigError(
                f"seeds: expected FIRST:END with 1 to {MOST_RUNS:,} seeds, END left out, got {value!r}"
            )
        return tuple(range(first, end))
    if not isinstance(value, list) or not value:
        raise ConfigError(f"seeds: expected a list as [1, 2, 3], or text as 0:10, got {value!r}")
    for seed in value:
        require_int("seeds", seed, 0)
    require_distinct("seeds", value)
    return tuple(value)


def _require_names(value: object) -> None:
    """Require that the keys of mappings, at any depth, are text: YAML has other ones, too."""
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                raise ConfigError(f"expected names as the keys of a sweep, got {name!r}")
    if isinstance(value, (Mapping, list)):
        for each in value.values() if isinstance(value, Mapping) else value:
            _require_names(each)


def _preset(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ConfigError(f"preset: expected a name, got {value!r}")
    return value


def _grid(value: object) -> dict[str, tuple[Any, ...]]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigError(f"grid: expected options, each with a list of values, got {value!r}")
    for name, values in value.items():
        if not isinstance(values, list) or not values:
            raise ConfigError(f"grid: expected a list of values of {name}, got {values!r}")
        require_distinct(f"grid: {name}", values)
    return {name: tuple(values) for name, values in value.items()}


def _search(key: str, value: object) -> Search | None:
    if value is None:
        return None
    known = _OPTUNA if key == "optuna" else _SEARCH
    if not isinstance(value, Mapping):
        raise ConfigError(f"{key}: expected {', '.join(known)}, got {value!r}")
    if unknown := [name for name in value if name not in known]:
        raise ConfigError(f"{key}: expected {', '.join(known)}, got {unknown[0]!r}{near(unknown[0], known)}")
    space = value.get("space")
    if not isinstance(space, Mapping) or not space:
        raise ConfigError(f"{key}: expected a space of options with their distributions, got {space!r}")
    require_int(f"{key}: trials", value.get("trials"), 1, MOST_TRIALS)
    require_int(f"{key}: seed", value.get("seed", 0), 0)
    metric, pruning = value.get("metric", METRICS[0]), value.get("pruning", True)
    if metric not in METRICS:
        raise ConfigError(f"{key}: expected a metric of {', '.join(METRICS)}, got {metric!r}")
    if not isinstance(pruning, bool):
        raise ConfigError(f"{key}: expected true or false as pruning, got {pruning!r}")
    distributions = {name: read_distribution(f"{key}: {name}", each) for name, each in space.items()}
    return Search(value["trials"], distributions, value.get("seed", 0), metric, pruning)


def _require_apart(plan: Plan) -> None:
    """Require that each option stands in one place."""
    places: dict[str, Sequence[str]] = {"the options": list(plan.options), "grid": list(plan.grid)}
    for key, search in (("random", plan.random), ("optuna", plan.optuna)):
        places[key] = [] if search is None else list(search.space)
    seen: dict[str, str] = {}
    for place, names in places.items():
        for name in names:
            if name in KEYS or name in _INSTEAD:
                raise ConfigError(f"{place}: {name} has a place of its own in a sweep: {_INSTEAD.get(name, name)}")
            if name in seen:
                raise ConfigError(f"{name}: expected it in one place, got it in {seen[name]} and in {place}")
            seen[name] = place
    of_variants = {name for variant in plan.variants.values() for name in variant.options} - set(plan.options)
    if twice := sorted(of_variants & seen.keys()):
        raise ConfigError(f"{twice[0]}: expected it in one place, got it in {seen[twice[0]]} and in variants")
