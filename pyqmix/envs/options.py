"""Options of environments, in groups that several environments share.

The class of an environment's options inherits the groups that mean something for it and adds its own options, so
each option is declared once. The command line and ``config.json`` show them together with the options of the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pyqmix.base.errors import ConfigError
from pyqmix.base.options import (
    ESSENTIAL,
    Text,
    check_each,
    check_json_object,
    integer,
    json_value,
    one_of,
    option_names,
)


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

    task: Annotated[str | None, Text(), ESSENTIAL] = None
    """Name of the task: of lbf (None is Foraging-8x8-2p-3f-v3), the id of a gymnasium or rware environment, a
    module of PettingZoo environments, a map of SMAC or of smax (None is 3m), or a layout of Overcooked."""


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
class ScaledInputs:
    """The scale of observations and states: every environment has this option."""

    scale_inputs: bool = False
    """Networks read observations and states scaled to [-1, 1], by the largest value that each number can have."""


@dataclass(frozen=True)
class AgentInputs(ScaledInputs):
    """The inputs of agents beyond their observations, and their scale: every environment has these options."""

    last_action: bool = False
    """Agents see which action they chose last; recurrent ones can tell from it where they have been."""


@dataclass(frozen=True)
class TimeLimit(StepLimit):
    """A step limit whose meaning can be chosen either way: environments that are stepped in Python have it."""

    terminate_at_limit: bool = False
    """Treat the step limit as termination (the target does not bootstrap) where the environment reports
    truncation."""

    def ending(self, at_limit: bool, terminated: bool, truncated: bool = False) -> tuple[bool, bool]:
        """Return whether a step terminates its episode, and whether it truncates it.

        Args:
            at_limit: the step is the last one that the limit allows.
            terminated: the environment reports that the task has ended.
            truncated: it reports a time limit of its own.
        """
        terminated = terminated and not (self.truncate_at_limit and at_limit)
        truncated = truncated or (at_limit and not terminated)
        return (True, False) if truncated and self.terminate_at_limit else (terminated, truncated)


@dataclass(frozen=True)
class TeamRules(EnvOptions, TeamReward, TimeLimit, ScaledInputs):
    """The options of :class:`pyqmix.envs.team.TeamEnv`, which makes a team of another library's agents.

    Raises:
        ConfigError: an option has no usable value, or truncate_at_limit and terminate_at_limit are both set.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.truncate_at_limit and self.terminate_at_limit:
            raise ConfigError(
                "terminate_at_limit: expected it or truncate_at_limit, as the step limit means one or the other"
            )


@dataclass(frozen=True)
class AdapterOptions(TeamRules, AgentInputs, Task):
    """Options of environments that come from other libraries."""

    env_args: Annotated[Any, json_value(check_json_object)] = None
    """Keyword arguments of the environment (for gymnasium: of gymnasium.make), a JSON object."""

    @property
    def rules(self) -> dict[str, Any]:
        """The options among these that TeamRules has."""
        return {name: getattr(self, name) for name in option_names(TeamRules)}

    @property
    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of the environment."""
        return dict(self.env_args or {})
