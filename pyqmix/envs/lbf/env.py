"""Level-Based Foraging behind the trainer's protocol. Papoudakis et al., arXiv:2006.07869."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from pyqmix import _C
from pyqmix.base.errors import ConfigError
from pyqmix.base.options import check_json_object, json_value, one_of
from pyqmix.envs.family import EnvFamily
from pyqmix.envs.lbf.rules import rules_of
from pyqmix.envs.native import NativeEnv
from pyqmix.envs.options import AgentInputs, EnvOptions, StepLimit, Task, TeamReward

DEFAULT_TASK = "Foraging-8x8-2p-3f-v3"


@dataclass(frozen=True)
class LbfOptions(EnvOptions, AgentInputs, TeamReward, StepLimit, Task):
    """Options of :class:`LbfEnv`. The defaults are those of ``lbforaging`` 2.0.0.

    The step limit of ``lbforaging`` counts as termination. Relative positions are distances from the agent, 0, 0
    for an unseen item or player; ``both`` puts the distances after the original's observation.
    """

    env_args: Annotated[Any, json_value(check_json_object)] = None
    """Further options of the task, a JSON object: those of ForagingEnv, such as penalty or max_player_level."""
    action_mask: bool = True
    """Offer only the actions that the rules allow; otherwise all, and forbidden ones do nothing."""
    global_state: bool = False
    """The mixer reads positions and levels of all players and food, not the agents' observations."""
    positions: Annotated[str, one_of("absolute", "relative", "both")] = "absolute"
    """Agents see food and each other by row and column, relative to themselves, or both ways."""
    nearest_first: bool = False
    """Agents see food, and each other, in the order of the distance: the nearest first. Otherwise food stands by
    rows and columns, as in the original."""


ACTION_NAMES = ("none", "north", "south", "west", "east", "load")


class LbfEnv(NativeEnv):
    """One board. Every episode starts as in a new environment.

    Actions: none, north, south, west, east, load. With ``global_state`` the state is (3 M + 3 n,): row, column and
    level of every food item, then of every player; otherwise it is the concatenated observations.

    Args:
        task: a name that :func:`pyqmix.envs.lbf.rules.task_options` reads; None is Foraging-8x8-2p-3f-v3.
        **options: the other options of :class:`LbfOptions`.

    Raises:
        ConfigError: the task is unknown, an option is unusable, or the board has no room for players or food.
    """

    def __init__(self, task: str | None = None, **options: Any) -> None:
        chosen = LbfOptions(task=task, **options)
        name, of_task = chosen.task or DEFAULT_TASK, dict(chosen.env_args or {})
        if chosen.episode_limit is not None:
            of_task["max_episode_steps"] = chosen.episode_limit
        self.rules = rules_of(name, of_task)
        try:
            native = _C.LbfEnv(
                self.rules,
                truncate_at_limit=chosen.truncate_at_limit,
                action_mask=chosen.action_mask,
                global_state=chosen.global_state,
                team_reward=chosen.team_reward,
                positions=chosen.positions,
                nearest_first=chosen.nearest_first,
                last_action=chosen.last_action,
            )
        except ValueError as error:
            raise ConfigError(str(error)) from None
        self.board, self.team_reward = native, chosen.team_reward
        super().__init__(name, native, chosen.scale_inputs)
        from pyqmix.envs.lbf.drawing import player_colours  # of a world, not of its options, which --help lists

        self.action_names, self.agent_colours = ACTION_NAMES, player_colours(self.spec.n_agents)

    def render(self) -> NDArray[np.uint8]:
        """Draw the board as (H, W, 3) uint8."""
        from pyqmix.envs.lbf.drawing import draw_board

        return draw_board(self.board, self.rules)


def _make(options: LbfOptions) -> LbfEnv:
    return LbfEnv(**vars(options))


FAMILY = EnvFamily("lbf", LbfOptions, _make, preset="lbf", native=True, default_task=DEFAULT_TASK)
