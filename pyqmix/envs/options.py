"""Options of environments, in groups that several environments share.

The class of an environment's options inherits the groups that mean something for it and adds its own options, so
each option is declared once. The command line and ``config.json`` show them together with the options of the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pyqmix.base.options import Text, check_each, integer, one_of


@dataclass(frozen=True)
class EnvOptions:
    """The base of every environment's options; checks each of them.

    Raises:
        ConfigError: an option has no usable value; the message names it, the expected values and the given one.
    """

    def __post_init__(self) -> None:
        check_each(self)


@dataclass(frozen=True)
class Task:
    """An environment that has tasks by name."""

    task: Annotated[str | None, Text()] = None
    """Name of the task: of lbf (None is Foraging-8x8-2p-3f-v3), or the id of a gymnasium environment."""


@dataclass(frozen=True)
class StepLimit:
    """An environment that can cut its episodes."""

    episode_limit: Annotated[int | None, integer(1, 2**31 - 1, optional=True)] = None
    """Largest number of steps of an episode. Default: the environment's own."""
    truncate_at_limit: bool = False
    """Treat the step limit as truncation (the target bootstraps) where the environment reports termination."""


@dataclass(frozen=True)
class TeamReward:
    """An environment that rewards each agent."""

    team_reward: Annotated[str, one_of("sum", "mean")] = "sum"
    """The team's reward: the sum or the mean of the agents' rewards."""


@dataclass(frozen=True)
class AgentInputs:
    """The inputs of agents beyond their observations, and their scale: every environment has these options."""

    last_action: bool = False
    """Agents see which action they chose last; recurrent ones can tell from it where they have been."""
    scale_inputs: bool = False
    """Networks read observations and states scaled to [-1, 1], by the largest value that each number can have."""
