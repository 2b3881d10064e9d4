"""Overcooked-AI (arXiv:1910.05789): two cooks in a kitchen."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyqmix.base.errors import ConfigError
from pyqmix.base.options import require_number
from pyqmix.envs.family import EnvFamily
from pyqmix.envs.importing import first_line, import_optional
from pyqmix.envs.observation import VectorEncoder
from pyqmix.envs.options import AdapterOptions
from pyqmix.envs.team import Member, Outcome, Shown, TeamEnv

DEFAULT_LAYOUT, HORIZON = "cramped_room", 400
LAYOUTS = r"\w+"  # names without folders: the package evaluates the file of that name as Python
_INSTALL = "'pyqmix-marl[overcooked]'"


@dataclass(frozen=True)
class OvercookedOptions(AdapterOptions):
    """Options of ``--env overcooked``."""


class OvercookedEnv(TeamEnv):
    """A kitchen of overcooked-ai.

    It uses the package's grid world alone: its ``OvercookedEnv`` and its planners need NumPy 1, the grid world
    does not. An observation is the package's lossless encoding (width, height, 26), flattened; the state is that
    of the first cook. An episode has a fixed start and no end but its step limit, which truncates.

    Args:
        kitchen: an ``OvercookedGridworld`` with two players.
        shaped_reward: weight of the rewards for subgoals (an onion in a pot, a dish, a soup in hand), which are
            added to those for soups that are served.
        name: its name in messages; None takes the layout's.
        **rules: of :class:`pyqmix.envs.options.TeamRules`. ``episode_limit`` None is 400 steps.

    Raises:
        ConfigError: the layout has another number of players.
    """

    action_names = ("north", "south", "east", "west", "stay", "interact")

    def __init__(self, kitchen: Any, *, shaped_reward: float = 0.0, name: str | None = None, **rules: Any) -> None:
        name = name or str(kitchen.layout_name)
        if kitchen.num_players != 2:
            raise ConfigError(f"task: expected a layout for 2 players, got {name} for {kitchen.num_players}")
        self._shaped_reward, self._world_state = shaped_reward, kitchen.get_standard_start_state()
        self._actions: list[Any] = import_optional(
            "overcooked_ai_py.mdp.actions", name, _INSTALL
        ).Action.ALL_ACTIONS
        self._visualizer: Any = None
        width = int(np.prod(kitchen.get_lossless_state_encoding_shape()))
        # Masks and counts of ingredients; the largest number is the time that a soup cooks.
        storage = "uint8" if np.max(kitchen.recipe_config.get("cook_time", 20)) < 256 else "int16"
        members = [Member(str(k), VectorEncoder(width, storage), len(self._actions)) for k in range(2)]
        super().__init__(kitchen, name, members, HORIZON, np.zeros(width, storage), **rules)

    def render(self) -> object:
        """Return a picture of the kitchen."""
        pygame: Any = import_optional("pygame", f"{self.name}: pictures", _INSTALL)
        if self._visualizer is None:
            drawing = import_optional("overcooked_ai_py.visualization.state_visualizer", self.name, _INSTALL)
            self._visualizer = drawing.StateVisualizer()
        surface = self._visualizer.render_state(self._world_state, grid=self.env.terrain_mtx)
        return np.ascontiguousarray(pygame.surfarray.array3d(surface).swapaxes(0, 1))

    def close(self) -> None:
        """Do nothing."""

    def _start(self, seed: int) -> Shown:
        self._world_state = self.env.get_standard_start_state()
        return self._shown()

    def _advance(self, actions: list[int]) -> Outcome:
        joint = tuple(self._actions[action] for action in actions)
        self._world_state, info = self.env.get_state_transition(self._world_state, joint)
        rewards = np.array(info["sparse_reward_by_agent"], np.float64)
        rewards += self._shaped_reward * np.array(info["shaped_reward_by_agent"], np.float64)
        return Outcome(self._shown(), rewards, terminated=False, truncated=False)

    def _shown(self) -> Shown:
        seen: Sequence[Any] = self.env.lossless_state_encoding(self._world_state, self.spec.episode_limit)
        return Shown(seen, state=seen[0])


def make_overcooked_env(options: AdapterOptions) -> OvercookedEnv:
    """Build a layout of overcooked-ai, such as ``cramped_room``.

    ``env_args`` are the grid world's parameters and "shaped_reward", the weight of rewards for subgoals.

    Raises:
        ConfigError: overcooked-ai is not installed, or has no such layout or parameter.
    """
    layout, arguments = options.task or DEFAULT_LAYOUT, options.arguments
    if not re.fullmatch(LAYOUTS, layout):
        raise ConfigError(f"task: expected the name of a layout of overcooked-ai, got {layout!r}")
    shaped_reward = arguments.pop("shaped_reward", 0.0)
    require_number("env_args: shaped_reward", shaped_reward, low=0.0)
    module = import_optional("overcooked_ai_py.mdp.overcooked_mdp", "task: the layouts of Overcooked", _INSTALL)
    try:
        kitchen = module.OvercookedGridworld.from_layout_name(layout, **arguments)
    except Exception as error:  # it reads a file of that name
        raise ConfigError(f"task: overcooked-ai cannot make {layout!r}: {first_line(error)}") from error
    return OvercookedEnv(kitchen, shaped_reward=shaped_reward, name=layout, **options.rules)


FAMILY = EnvFamily(
    "overcooked",
    OvercookedOptions,
    make_overcooked_env,
    default_task=DEFAULT_LAYOUT,
    safe_tasks=LAYOUTS,
)
