"""Level-Based Foraging as the trainer meets it. Papoudakis et al., arXiv:2006.07869."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyqmix import _C
from pyqmix.base.errors import ConfigError
from pyqmix.base.spec import EpisodeSpec
from pyqmix.envs.actions import as_actions, check_seed
from pyqmix.envs.lbf.drawing import draw_board
from pyqmix.envs.lbf.rules import rules_of
from pyqmix.envs.protocol import Point, Step

DEFAULT_TASK = "Foraging-8x8-2p-3f-v3"
TEAM_REWARDS = ("sum", "mean", "individual")
POSITIONS = ("absolute", "relative", "both")


class LbfEnv:
    """One board, native. Every episode starts as in a new environment.

    The defaults are those of ``lbforaging`` 2.0.0; its step limit counts as termination there.

    Args:
        task: a name that :func:`pyqmix.envs.lbf.rules.task_options` reads.
        options: options of :class:`pyqmix.envs.ForagingEnv` that replace the task's.
        step_limit: the most steps of an episode; None takes the task's, 50.
        truncate_at_limit: report the step limit as truncation.
        action_mask: offer only actions that the rules allow (moves onto the board and off food, loading
            beside food); otherwise all six are available, and what the rules forbid does nothing.
        global_state: the state is (3 M + 3 n,): row, column and level of every food item, then of every
            player; otherwise it is the concatenated observations.
        team_reward: sum or mean of the players' rewards; "individual" is for batches, where each counts.
        positions: how an agent sees food and other players: absolute, as the original shows rows and columns;
            relative, as distances from itself, 0, 0 for what is unseen; or both, the distances behind the rest.
        last_action: an agent sees, behind all else, which of the six actions it chose last (1, the others 0; all 0
            in an episode's first step), as PyMARL's agents do.
        scale_inputs: networks multiply observations and states by factors that bring them into [-1, 1]: one over
            the largest coordinate or level that can be. Observations themselves stay whole numbers.

    Raises:
        ConfigError: the task is unknown, an option is unusable, or the board cannot hold what it should.
    """

    def __init__(
        self,
        task: str = DEFAULT_TASK,
        *,
        options: Mapping[str, Any] | None = None,
        step_limit: int | None = None,
        truncate_at_limit: bool = False,
        action_mask: bool = True,
        global_state: bool = False,
        team_reward: str = "sum",
        positions: str = "absolute",
        last_action: bool = False,
        scale_inputs: bool = False,
    ) -> None:
        if not isinstance(task, str):
            raise ConfigError(f"task: expected a name, got {task!r}")
        if options is not None and not isinstance(options, Mapping):
            raise ConfigError(f"env_args: expected named options, got {options!r}")
        views = {"truncate_at_limit": truncate_at_limit, "action_mask": action_mask, "global_state": global_state}
        for name, flag in {**views, "last_action": last_action, "scale_inputs": scale_inputs}.items():
            if not isinstance(flag, bool):
                raise ConfigError(f"{name}: expected true or false, got {flag!r}")
        if step_limit is not None:
            if isinstance(step_limit, bool) or not isinstance(step_limit, int) or step_limit < 1:
                raise ConfigError(f"episode_limit: expected a positive integer, got {step_limit!r}")
            options = {**(options or {}), "max_episode_steps": step_limit}
        if team_reward not in TEAM_REWARDS:
            raise ConfigError(f"team_reward: expected one of {', '.join(TEAM_REWARDS)}, got {team_reward!r}")
        if positions not in POSITIONS:
            raise ConfigError(f"positions: expected one of {', '.join(POSITIONS)}, got {positions!r}")
        self.name = task
        self.rules = rules_of(task, options or {})
        self.team_reward = team_reward
        try:
            self.native = _C.LbfEnv(
                self.rules, team_reward=team_reward, positions=positions, last_action=last_action, **views
            )
        except ValueError as error:
            raise ConfigError(str(error)) from None
        self._global_state = global_state
        n, width = self.rules.players, self.native.obs_dim
        obs_scale = tuple(self.native.obs_scale) if scale_inputs else None
        state_scale = tuple(self.native.state_scale) if global_state else (obs_scale or ()) * n
        self.spec = EpisodeSpec(
            n_agents=n,
            n_actions=6,
            obs_dim=width,
            state_dim=self.native.state_dim if global_state else n * width,
            episode_limit=self.rules.max_episode_steps,
            concat_state=not global_state,
            obs_storage=self.native.storage,
            state_storage=self.native.storage if global_state else "float32",
            obs_scale=obs_scale,
            state_scale=state_scale if scale_inputs else None,
        )

    def reset(self, seed: int) -> Point:
        """Start an episode as in a new environment.

        Raises:
            RuntimeError: a player found no free cell.
        """
        self.native.start(check_seed(seed))
        return self._point()

    def step(self, actions: NDArray[np.int64]) -> Step:
        """Execute the joint action (n,).

        Raises:
            RuntimeError: no episode has started.
            ValueError: an action is none of the six.
        """
        if self.team_reward == "individual":
            raise ConfigError("team_reward: 'individual' is for batches; one environment pays a sum or a mean")
        self.native.step(as_actions(actions))
        return Step(self._point(), self.native.reward, self.native.terminated, self.native.truncated)

    def render(self) -> NDArray[np.uint8]:
        """Draw the board as (H, W, 3) uint8."""
        return draw_board(self.native, self.rules)

    def close(self) -> None:
        """Do nothing."""

    def _point(self) -> Point:
        state = self.native.state() if self._global_state else None
        return Point(self.native.observation(), self.native.avail(), state)
