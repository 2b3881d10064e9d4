"""One team out of another library's agents: the part of the adapters that all libraries share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from pyqmix.base.errors import ConfigError
from pyqmix.base.spec import STORAGE_DTYPES, EpisodeSpec
from pyqmix.envs.importing import blamed
from pyqmix.envs.observation import Encoder, as_vector, scale_of
from pyqmix.envs.options import TeamRules
from pyqmix.envs.protocol import Point, Step
from pyqmix.envs.told import each_of, exact, rewards_of

GONE = object()  # stands for the observation of an agent that takes part no more


@dataclass(frozen=True)
class Member:
    """One agent.

    Attributes:
        label: names it in messages.
        encoder: of its observations.
        n_actions: how many actions it has.
        first_action: the library's number of the first one.
    """

    label: str
    encoder: Encoder
    n_actions: int
    first_action: int = 0


class Shown(NamedTuple):
    """One point in time as a library shows it.

    Attributes:
        obs: n observations; GONE for an agent that takes part no more.
        masks: n masks of available actions, (A,) or as wide as the agent has actions; None, or an entry None,
            where every action is available.
        state: the global state; None where there is none.
    """

    obs: Sequence[Any]
    masks: Sequence[Any] | None = None
    state: Any = None


class Outcome(NamedTuple):
    """The outcome of a joint action as a library tells it.

    Attributes:
        shown: the new point in time.
        rewards: one, or one for each of the n agents, 0 for those that take part no more.
        terminated: the task ended.
        truncated: a time limit of the library's own cut the episode.
        won: whether the team has won; None where the library does not tell.
    """

    shown: Shown
    rewards: Any
    terminated: bool
    truncated: bool
    won: bool | None = None


class TeamEnv:
    """The protocol :class:`pyqmix.envs.Env` for a library's agents; a subclass adds ``_start`` and ``_advance``.

    Observations are padded with zeros to the widest one, actions masked to those that an agent has. An agent that
    takes part no more observes zeros and has action 0 alone. The mean reward divides by all n agents, of which
    those that take part no more earn 0.

    Args:
        env: the library's environment.
        name: its name in messages.
        members: the n agents.
        own_limit: the most steps of an episode that the library allows; None where it does not tell.
        state: a global state, as an example of its width and dtype; None: the concatenated observations.
        state_space: the bounds of the state, for ``scale_inputs``; None where they are unknown.
        notes: sentences about things that the environment offers and that are not used.
        **rules: of :class:`pyqmix.envs.options.TeamRules`.

    Raises:
        ConfigError: the step limit is unknown, an option is unusable, or an input to be scaled has no bounds.
    """

    action_names: tuple[str, ...] = ()
    """Names of the A actions, for pictures: the library's own ``action_names``, if it has them; empty: none."""

    def __init__(
        self,
        env: Any,
        name: str,
        members: Sequence[Member],
        own_limit: int | None,
        state: NDArray[Any] | None,
        state_space: object = None,
        notes: Iterable[str] = (),
        **rules: Any,
    ) -> None:
        self.env = env
        self.name, self.members, self.notes = name, tuple(members), tuple(notes)
        self.agent_labels = tuple(member.label for member in members)
        self.action_names = self.action_names or tuple(getattr(getattr(env, "unwrapped", env), "action_names", ()))
        self._rules = TeamRules(**rules)
        limit = own_limit if self._rules.episode_limit is None else self._rules.episode_limit
        if limit is None:
            raise ConfigError(f"{name} has no step limit of its own: set episode_limit (--episode-limit)")
        sizes = [member.n_actions for member in members]
        self._every: NDArray[np.bool_] = np.arange(max(sizes)) < np.array(sizes)[:, None]
        self._every.setflags(write=False)
        self._first_actions = np.array([member.first_action for member in members])
        self.spec = self._make_spec(limit, state, state_space)
        self._steps = 0

    def reset(self, seed: int) -> Point:
        """Start an episode."""
        self._steps = 0
        return self._point(self._start(seed))

    def step(self, actions: NDArray[np.int64]) -> Step:
        """Execute the joint action (n,)."""
        outcome = self._advance((actions + self._first_actions).tolist())
        self._steps += 1
        at_limit = self._steps >= self.spec.episode_limit
        terminated, truncated = self._rules.ending(at_limit, outcome.terminated, outcome.truncated)
        point = self._point(outcome.shown)
        return Step(point, self._team_reward(outcome.rewards), terminated, truncated, outcome.won)

    def render(self) -> object:
        """Return the environment's picture where its render_mode is rgb_array, None otherwise."""
        return self.env.render() if getattr(self.env, "render_mode", None) == "rgb_array" else None

    def close(self) -> None:
        """Close the environment, if it can be closed."""
        close = getattr(self.env, "close", None)
        if close is not None:
            with blamed(self.name, "close"):
                close()

    @property
    def limit_truncates(self) -> bool:
        """Whether a termination in the step that is being taken counts as a truncation by the step limit.

        The target then bootstraps from the new point, so it must show the agents and their masks.
        """
        return self._rules.truncate_at_limit and self._steps + 1 >= self.spec.episode_limit

    def _start(self, seed: int) -> Shown:
        """Reset the library's environment."""
        raise NotImplementedError

    def _advance(self, actions: list[int]) -> Outcome:
        """Step the library's environment with its own numbers of actions."""
        raise NotImplementedError

    def _make_spec(self, limit: int, state: NDArray[Any] | None, state_space: object) -> EpisodeSpec:
        encoders = [member.encoder for member in self.members]
        n, width = len(encoders), max(encoder.width for encoder in encoders)
        storages = {encoder.storage for encoder in encoders}
        of_obs = of_state = None
        if self._rules.scale_inputs:
            bounds = [np.pad(encoder.bounds, ((0, 0), (0, width - encoder.width))) for encoder in encoders]
            of_obs = scale_of(np.concatenate(bounds), f"{self.name} has observations")
            of_state = of_obs * n if state is None else self._state_scale(state.size, state_space)
        dtype = "float32" if state is None else str(state.dtype)
        return EpisodeSpec(
            n_agents=n,
            n_actions=self._every.shape[1],
            obs_dim=width,
            state_dim=n * width if state is None else state.size,
            episode_limit=limit,
            concat_state=state is None,
            obs_storage=storages.pop() if len(storages) == 1 else "float32",
            state_storage=dtype if dtype in STORAGE_DTYPES else "float32",
            obs_scale=of_obs,
            state_scale=of_state,
        )

    def _state_scale(self, width: int, space: object) -> tuple[float, ...]:
        unbounded = np.full((1, width), np.inf)
        known = isinstance(space, spaces.Box) and int(np.prod(space.shape)) == width
        bounds = np.array([space.low, space.high]).reshape(2, -1) if known else unbounded  # type: ignore[attr-defined]
        return scale_of(bounds, f"{self.name} has a state")

    def _team_reward(self, rewards: Any) -> float:
        if type(rewards) is float:
            return rewards
        each = rewards_of(rewards, self.spec.n_agents)
        return float(each.mean() if self._rules.team_reward == "mean" else each.sum())

    def _point(self, shown: Shown) -> Point:
        n = self.spec.n_agents
        seen = each_of(shown.obs, n, "observations")
        obs = np.zeros((n, self.spec.obs_dim), np.float32)
        for row, member, value in zip(obs, self.members, seen, strict=True):
            if value is not GONE:
                row[: member.encoder.width] = member.encoder(value, member.label)
        state = None
        if not self.spec.concat_state:
            state = exact(as_vector(shown.state, self.spec.state_dim, "state"), "state").astype(np.float32)
        return Point(obs, self._available(shown), state)

    def _available(self, shown: Shown) -> NDArray[np.bool_]:
        if shown.masks is None and not any(value is GONE for value in shown.obs):
            return self._every
        avail: NDArray[np.bool_] = self._every.copy()
        n = len(self.members)
        masks = [None] * n if shown.masks is None else each_of(shown.masks, n, "action masks")
        for row, member, value, mask in zip(avail, self.members, shown.obs, masks, strict=True):
            if value is GONE:
                row[:] = False
                row[0] = True
            elif mask is not None:
                row[: member.n_actions] = self._mask(member, mask)
        return avail

    def _mask(self, member: Member, mask: Any) -> NDArray[np.bool_]:
        """Return an agent's mask (its actions,) bool."""
        given = as_vector(mask, None, f"action mask of agent {member.label}")
        if given.size not in (member.n_actions, self.spec.n_actions) or ((given != 0) & (given != 1)).any():
            raise ValueError(
                f"action mask of agent {member.label}: expected {member.n_actions} numbers that are 0 or 1, "
                f"got {mask!r}"
            )
        available: NDArray[np.bool_] = given[: member.n_actions] != 0
        return available
