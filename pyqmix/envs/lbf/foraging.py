"""Level-Based Foraging with the interface of ``lbforaging`` 2.0.0, played in C++. See arXiv:2006.07869."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from pyqmix import _C
from pyqmix.base.errors import ConfigError
from pyqmix.envs.actions import as_actions, check_seed
from pyqmix.envs.lbf.drawing import draw_board
from pyqmix.envs.lbf.rules import Levels, foraging_rules, observation_box, task_options


class ForagingEnv(gymnasium.Env[Any, Any]):
    """Level-Based Foraging: the options, spaces and episodes of ``lbforaging.foraging.ForagingEnv`` 2.0.0.

    From ``reset(seed=s)`` on, over later resets without a seed as well, observations, rewards and ends are the
    original's, bit for bit. Where the original cannot be built or fails under today's gymnasium (grid
    observations, rectangular boards) this class follows the original's code, with correct bounds.

    Args:
        players: agents, n.
        min_player_level, max_player_level: of all players, or one for each.
        min_food_level: of all items, or one for each.
        max_food_level: likewise; None takes the levels of the three lowest players, added.
        field_size: rows, columns; at least 3 each.
        max_num_food: food items to place, M; where there is no room fewer are placed, as in the original.
        sight: how many cells an agent sees in each direction.
        max_episode_steps: where an episode ends.
        force_coop: every item has its highest level.
        normalize_reward: an episode's rewards add up to 1.
        grid_observation: observations are (3, 2 sight + 1, 2 sight + 1): levels of players, levels of food,
            free cells. Otherwise they are lists of (row, column, level): M items, then the players, oneself
            first, with (-1, -1, 0) for an unseen one.
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
        return self._observations(), self._world.rewards(), self._world.terminated, False, {}

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
