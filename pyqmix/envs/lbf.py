"""Level-Based Foraging, by the ``lbforaging`` package. Papoudakis et al., arXiv:2006.07869."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import lbforaging  # noqa: F401  (registers its tasks, whose names errors suggest)
import numpy as np
from gymnasium import registry, spaces
from lbforaging.foraging.environment import ForagingEnv
from numpy.typing import NDArray

from pyqmix.envs.gymnasium_env import GymnasiumEnv
from pyqmix.envs.protocol import Point, Step
from pyqmix.errors import ConfigError, near

DEFAULT_TASK = "Foraging-8x8-2p-3f-v3"
STEP_LIMIT = 50
MAX_SIDE = 1_000
_GRAMMAR = re.compile(
    r"Foraging(?:-(?P<sight>\d+)s)?-(?P<rows>-?\d+)x(?P<cols>-?\d+)-(?P<players>-?\d+)p-(?P<food>-?\d+)f"
    r"(?P<coop>-coop)?(?P<ind>-ind)?(?P<pen>-pen)?-v3"
)


class _Board(ForagingEnv):  # type: ignore[misc]  # lbforaging has no types
    """The original with a right observation space: its own swaps the sides of a rectangular board."""

    def _get_observation_space(self) -> spaces.Box:
        box = super()._get_observation_space()
        high = box.high.reshape(-1, 3)  # row, column, level
        high[:, :2] = self.rows - 1, self.cols - 1
        return spaces.Box(box.low, high.reshape(-1), dtype=np.float32)


@dataclass(frozen=True)
class LbfTask:
    """A task of the registered grammar ``Foraging[-Ks]-RxC-Np-Mf[-coop][-ind][-pen]-v3``.

    Attributes:
        rows, cols: the board.
        players: agents, of level 1 or 2.
        food: food items to place.
        sight: how far an agent sees; the whole board where the name gives none.
        force_coop: every food needs all players (up to three).
        food_level_one: every food has level 1 (``-ind``).
        penalty: taken from each player who fails to load (``-pen``).
    """

    rows: int
    cols: int
    players: int
    food: int
    sight: int
    force_coop: bool
    food_level_one: bool
    penalty: float

    @classmethod
    def parse(cls, name: str) -> LbfTask:
        """Read a task's name.

        Raises:
            ConfigError: it is not of the grammar, or its board cannot exist.
        """
        match = _GRAMMAR.fullmatch(name)
        if match is None:
            known = (task for task in registry if task.startswith("Foraging"))
            raise ConfigError(
                f"task: expected Foraging[-Ks]-RxC-Np-Mf[-coop][-ind][-pen]-v3, as {DEFAULT_TASK}, "
                f"got {name!r}{near(name, known)}"
            )
        rows, cols, players, food = (int(match[key]) for key in ("rows", "cols", "players", "food"))
        if min(rows, cols) < 3 or max(rows, cols) > MAX_SIDE:
            raise ConfigError(
                f"task: expected a board of 3 to {MAX_SIDE} cells a side, got {rows}x{cols} in {name!r}"
            )
        if players < 1 or food < 1:
            raise ConfigError(f"task: expected at least one player and one food, got {name!r}")
        if match["sight"] is not None and int(match["sight"]) < 1:
            raise ConfigError(f"task: expected a sight of at least 1, got {name!r}")
        if players + food > rows * cols:
            raise ConfigError(
                f"task: a board of {rows}x{cols} = {rows * cols} cells cannot hold {players} players and "
                f"{food} food items, in {name!r}"
            )
        return cls(
            rows,
            cols,
            players,
            food,
            sight=int(match["sight"] or max(rows, cols)),
            force_coop=match["coop"] is not None,
            food_level_one=match["ind"] is not None,
            penalty=0.1 if match["pen"] else 0.0,
        )

    def make(self, step_limit: int) -> ForagingEnv:
        """Build the environment."""
        return _Board(
            players=self.players,
            min_player_level=1,
            max_player_level=2,
            min_food_level=1,
            max_food_level=1 if self.food_level_one else None,
            field_size=(self.rows, self.cols),
            max_num_food=self.food,
            sight=self.sight,
            max_episode_steps=step_limit,
            force_coop=self.force_coop,
            penalty=self.penalty,
        )


class LbfEnv(GymnasiumEnv):
    """One board of ``lbforaging``.

    The original reports its step limit as termination. Its own ``reset(seed)`` depends on where the
    players stood before, because spawning avoids their old cells; here every episode starts as in a new
    environment.

    Args:
        task: a name that :class:`LbfTask` reads.
        step_limit: the most steps of an episode; the registered tasks have 50.
        truncate_at_limit: report the step limit as truncation instead.
        action_mask: offer only actions that the rules allow (moves onto the board and off food, loading
            beside food); otherwise all six are available, and what the rules forbid does nothing.

    Raises:
        ConfigError: the task is unknown, or its board cannot hold its players and food.
    """

    def __init__(
        self,
        task: str = DEFAULT_TASK,
        *,
        step_limit: int = STEP_LIMIT,
        truncate_at_limit: bool = False,
        action_mask: bool = True,
    ) -> None:
        self._world = LbfTask.parse(task).make(step_limit)
        self._truncate_at_limit, self._action_mask = truncate_at_limit, action_mask
        super().__init__(self._world, episode_limit=step_limit, name=task)
        self._require_room(task)

    def reset(self, seed: int) -> Point:
        """Start an episode as in a new environment."""
        for player in self._world.players:
            player.position = None
        return super().reset(seed)

    def step(self, actions: NDArray[np.int64]) -> Step:
        """Execute the joint action (n,)."""
        step = super().step(actions)
        cut = self._truncate_at_limit and step.terminated and bool(self._world.field.any())
        return step._replace(terminated=False, truncated=True) if cut else step

    def _obs_storage(self) -> str:
        # Coordinates, levels and -1; food levels reach three times the players' highest.
        high = max(float(box.high.max()) for box in self._world.observation_space)
        return "int8" if high <= np.iinfo(np.int8).max else "int16"

    def _available_actions(self) -> NDArray[np.bool_]:
        if not self._action_mask:
            return self._avail
        avail = np.zeros(self._avail.shape, np.bool_)
        valid: dict[Any, list[Any]] = self._world._valid_actions
        for agent, player in enumerate(self._world.players):
            avail[agent, [action.value for action in valid[player]]] = True
        return avail

    def _require_room(self, task: str) -> None:
        # Food keeps away from the border and from other food. Where the original finds no place it
        # silently plays on with less; a board on which that always happens is a mistake.
        wanted, tries, placed = self._world.max_num_food, 20, 0
        for seed in range(tries):
            try:
                self.reset(seed)
            except TypeError:  # a player without a place has no position
                raise ConfigError(f"task: the board cannot hold its players, in {task!r}") from None
            placed = max(placed, int(np.count_nonzero(self._world.field)))
            if placed == wanted:
                return
        raise ConfigError(
            f"task: the board holds at most {placed} of {wanted} food items (food keeps off the border and "
            f"apart from other food; {tries} boards tried), in {task!r}"
        )
