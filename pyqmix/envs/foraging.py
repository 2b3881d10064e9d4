"""Level-Based Foraging with the interface of ``lbforaging`` 2.0.0, played in C++. See arXiv:2006.07869."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from pyqmix import _C
from pyqmix.envs.actions import as_actions, check_seed
from pyqmix.envs.drawing import draw_board
from pyqmix.errors import ConfigError, near

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


class ForagingEnv(gymnasium.Env[Any, Any]):
    """Level-Based Foraging: the options, spaces and episodes of ``lbforaging.foraging.ForagingEnv`` 2.0.0.

    From ``reset(seed=s)`` on, over later resets without a seed as well, observations, rewards and ends are the
    original's, bit for bit. Where the original cannot be built or fails under today's gymnasium (grid
    observations, rectangular boards) this does what its code says with the right bounds.

    Args:
        players: agents, n.
        min_player_level, max_player_level: of all players, or one for each.
        min_food_level: of all items, or one for each.
        max_food_level: likewise; None takes the levels of the three lowest players, added.
        field_size: rows, columns; at least 3 each.
        max_num_food: food items to place, M; where there is no room the original places fewer.
        sight: how many cells an agent sees in each direction.
        max_episode_steps: where an episode ends.
        force_coop: every item has its highest level.
        normalize_reward: an episode's rewards add up to 1.
        grid_observation: observations are (3, 2 sight + 1, 2 sight + 1): levels of players, levels of food,
            free cells. Otherwise they are lists of (row, column, level): M items, then the players, oneself
            first, with (-1, -1, 0) for what is not seen.
        observe_agent_levels: whether players' levels are seen.
        penalty: taken from each player of a failed loading.
        render_mode: None or "rgb_array".

    Raises:
        ConfigError: an option is unusable.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 5}  # noqa: RUF012  (gymnasium's own way)

    def __init__(
        self,
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
        render_mode: str | None = None,
    ) -> None:
        if render_mode not in (None, "rgb_array"):
            raise ConfigError(f"render_mode: expected None or rgb_array, got {render_mode!r}")
        self.render_mode = render_mode
        self.rules = foraging_rules(
            players=players,
            min_player_level=min_player_level,
            max_player_level=max_player_level,
            min_food_level=min_food_level,
            max_food_level=max_food_level,
            field_size=field_size,
            max_num_food=max_num_food,
            sight=sight,
            max_episode_steps=max_episode_steps,
            force_coop=force_coop,
            normalize_reward=normalize_reward,
            grid_observation=grid_observation,
            observe_agent_levels=observe_agent_levels,
            penalty=penalty,
        )
        self.n_agents = players
        self._world = _C.LbfEnv(self.rules)
        self._seeded = False
        self._box = observation_box(self.rules)
        self.observation_space = spaces.Tuple([self._box] * players)
        self.action_space = spaces.Tuple([spaces.Discrete(6)] * players)

    @classmethod
    def of_task(cls, name: str, **options: Any) -> ForagingEnv:
        """Build the environment that a task's name stands for (:func:`task_options`), some options replaced."""
        return cls(**{**task_options(name), **options})

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[tuple[NDArray[np.float32], ...], dict[str, Any]]:
        """Start an episode. Without a seed the random stream goes on; players avoid their old cells.

        Raises:
            ValueError: the seed is negative, or 2**64 or more.
            RuntimeError: a player found no free cell.
        """
        if seed is not None or not self._seeded:
            value = int(np.random.SeedSequence().generate_state(1, np.uint64)[0]) if seed is None else seed
            super().reset(seed=check_seed(value))
            self._world.seed(value)
            self._seeded = True
        self._world.reset()
        return self._observations(), {}

    def step(  # type: ignore[override]  # one reward for each player, as the original
        self, actions: Sequence[int]
    ) -> tuple[tuple[NDArray[np.float32], ...], list[float], bool, bool, dict[str, Any]]:
        """Execute one action for each player: none, north, south, west, east, load; an invalid one does nothing.

        Returns:
            Observations, one reward for each player, whether all food is eaten or the step limit reached,
            False, and an empty dictionary.
        """
        self._world.step(as_actions(actions))
        return self._observations(), self._world.rewards(), self._world.ended, False, {}

    def valid_actions(self) -> NDArray[np.bool_]:
        """Return (n, 6) bool: the actions that the rules allow now."""
        return self._world.avail()

    def state(self) -> NDArray[np.float32]:
        """Return (3 M + 3 n,): row, column and level of each food item and of each player."""
        return self._world.state()

    def render(self) -> NDArray[np.uint8]:
        """Draw the board as (H, W, 3) uint8."""
        return draw_board(self._world, self.rules)

    def _observations(self) -> tuple[NDArray[np.float32], ...]:
        return tuple(obs.reshape(self._box.shape) for obs in self._world.observation())


def observation_box(rules: _C.LbfRules) -> spaces.Box:
    """Return the space of one agent's observation."""
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
    # Where the original finds no place for food it plays on with less, and so does this. A board without
    # any, or without room for its players, is a mistake.
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
