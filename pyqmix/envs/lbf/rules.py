"""The options of Level-Based Foraging, checked, and the task names that stand for some of them."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from pyqmix import _C
from pyqmix.base.errors import ConfigError, near

if TYPE_CHECKING:
    from gymnasium import spaces

Levels = int | Sequence[int]


def foraging_rules(
    *,
    players: int,
    min_player_level: Levels,
    max_player_level: Levels,
    min_food_level: Levels,
    max_food_level: Levels | None,
    field_size: Sequence[int],
    max_num_food: int,
    sight: int,
    max_episode_steps: int,
    force_coop: bool,
    normalize_reward: bool = True,
    grid_observation: bool = False,
    observe_agent_levels: bool = True,
    penalty: float = 0.0,
) -> _C.LbfRules:
    """Check the options of :class:`ForagingEnv`.

    Raises:
        ConfigError: one is unusable.
    """
    rows, cols = _integers("field_size", field_size, 2)
    flags = {
        "force_coop": force_coop,
        "normalize_reward": normalize_reward,
        "grid_observation": grid_observation,
        "observe_agent_levels": observe_agent_levels,
    }
    for name, flag in flags.items():
        if not isinstance(flag, (bool, np.bool_)):
            raise ConfigError(f"{name}: expected true or false, got {flag!r}")
    penalty = _number("penalty", penalty)
    players, max_num_food = _count("players", players), _count("max_num_food", max_num_food)
    try:
        return _C.LbfRules(
            rows=rows,
            cols=cols,
            max_num_food=max_num_food,
            sight=_integer("sight", sight),
            min_player_level=_integers("min_player_level", min_player_level, players),
            max_player_level=_integers("max_player_level", max_player_level, players),
            min_food_level=_integers("min_food_level", min_food_level, max_num_food),
            max_food_level=(
                None if max_food_level is None else _integers("max_food_level", max_food_level, max_num_food)
            ),
            max_episode_steps=_integer("max_episode_steps", max_episode_steps),
            penalty=penalty,
            **{name: bool(flag) for name, flag in flags.items()},
        )
    except ValueError as error:
        raise ConfigError(str(error)) from None


def task_options(name: str) -> dict[str, Any]:
    """Return the options of :class:`ForagingEnv` that a task's name stands for.

    The grammar is ``Foraging[-grid][-Ks]-RxC-Np-Mf[-coop][-ind][-pen]-v3``: a board of R rows and C columns,
    N players of level 1 or 2, M food items, a sight of K cells (without it the whole board), ``-coop`` food
    that needs all players (up to three), ``-ind`` food of level 1, ``-pen`` a penalty of 0.1 for failed
    loading, ``-grid`` observations as grids. Episodes have 50 steps.

    Raises:
        ConfigError: the name is not of the grammar, or its board cannot exist.
    """
    try:
        rules = _C.parse_lbf_task(name)
    except ValueError as error:
        raise ConfigError(_task_error(name, str(error))) from None
    return {
        "players": rules.players,
        "min_player_level": 1,
        "max_player_level": 2,
        "min_food_level": 1,
        "max_food_level": None if rules.max_food_level is None else 1,
        "field_size": (rules.rows, rules.cols),
        "max_num_food": rules.max_num_food,
        "sight": rules.sight,
        "max_episode_steps": rules.max_episode_steps,
        "force_coop": rules.force_coop,
        "grid_observation": rules.grid_observation,
        "penalty": rules.penalty,
    }


def rules_of(task: str, options: Mapping[str, Any]) -> _C.LbfRules:
    """Return a task's rules, some of its options replaced.

    Raises:
        ConfigError: the name or an option is unusable, or the board has no room.
    """
    if surplus := sorted(set(options) - set(_OPTION_NAMES)):
        raise ConfigError(f"env_args: expected some of {', '.join(_OPTION_NAMES)}, got {', '.join(surplus)}")
    rules = foraging_rules(**{**task_options(task), **options})
    _require_room(rules, task)
    return rules


def observation_box(rules: _C.LbfRules) -> spaces.Box:
    """Return the space of one agent's observation."""
    from gymnasium import spaces

    player_level = max(rules.max_player_level)
    if rules.grid_observation:
        side = 2 * rules.sight + 1
        high = np.ones((3, side, side), np.float32)
        high[0] = player_level if rules.observe_agent_levels else 1
        high[1] = rules.highest_food_level
        return spaces.Box(np.zeros_like(high), high, dtype=np.float32)
    last = [rules.rows - 1, rules.cols - 1]
    seen = [player_level] if rules.observe_agent_levels else []
    low = [-1, -1, 0] * rules.max_num_food + ([-1, -1] + [0] * len(seen)) * rules.players
    high_list = [*last, rules.highest_food_level] * rules.max_num_food + [*last, *seen] * rules.players
    return spaces.Box(np.array(low, np.float32), np.array(high_list, np.float32), dtype=np.float32)


_OPTION_NAMES = tuple(inspect.signature(foraging_rules).parameters)
_ROOM_TRIES = 20


def _require_room(rules: _C.LbfRules, task: str) -> None:
    # Where the original finds no place for an item it places fewer, and so does this. A board without any food, or
    # without room for its players, is the user's mistake.
    world, placed = _C.LbfEnv(rules), 0
    for seed in range(_ROOM_TRIES):
        try:
            world.start(seed)
        except RuntimeError:
            raise ConfigError(f"task: the board cannot hold its players, in {task!r}") from None
        placed = max(placed, len(world.food))
        if placed == rules.max_num_food:
            return
    if placed == 0 and min(rules.min_food_level) > 0:  # an item of level 0 counts as none
        raise ConfigError(f"task: none of {_ROOM_TRIES} boards had room for food, in {task!r}")


def _task_error(name: str, text: str) -> str:
    if not text.startswith("task:"):
        return f"task: {text}, in {name!r}"
    usual = product(("", "-2s"), range(5, 20), range(2, 10), range(1, 7), ("", "-coop"))
    return text + near(name, (f"Foraging{k}-{s}x{s}-{p}p-{f}f{coop}-v3" for k, s, p, f, coop in usual))


def _integer(name: str, value: object) -> int:
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise ConfigError(f"{name}: expected an integer, got {value!r}")
    if abs(number) >= 2**31:
        raise ConfigError(f"{name}: expected a smaller integer, got {value!r}")
    return number


def _number(name: str, value: object) -> float:
    try:
        if not isinstance(value, (bool, str)):
            return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        pass
    raise ConfigError(f"{name}: expected a number, got {value!r}")


def _count(name: str, value: object) -> int:
    count = _integer(name, value)
    if not 1 <= count <= 1_000_000:
        raise ConfigError(f"{name}: expected a positive integer, got {value!r}")
    return count


def _integers(name: str, value: object, count: int) -> list[int]:
    if isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, str):
        numbers = [_integer(name, entry) for entry in value]
        if len(numbers) != count:
            raise ConfigError(f"{name}: expected {count} integers, got {len(numbers)}")
        return numbers
    if name == "field_size":
        raise ConfigError(f"{name}: expected rows and columns, got {value!r}")
    return [_integer(name, value)] * count
