"""Shows agents their last action, in environments that are stepped in Python; native worlds do it themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pyqmix.base.spec import EpisodeSpec
from pyqmix.envs.protocol import Env, Point, Step
from pyqmix.envs.worlds import Worlds


class LastActionEnv:
    """Puts a one-hot code (A,) of each agent's last action behind its observation; zeros at an episode's start.

    Where the state is the concatenated observations, it holds the codes too, as that of a native world does.

    Args:
        env: the environment.
    """

    def __init__(self, env: Env) -> None:
        self.env, self.name, self.notes = env, env.name, tuple(getattr(env, "notes", ()))
        self.spec, self.agent_labels = _wider(env.spec), getattr(env, "agent_labels", ())
        self.action_names, self.agent_colours = getattr(env, "action_names", ()), getattr(env, "agent_colours", ())
        self.wide_seeds = getattr(env, "wide_seeds", False)
        self._codes = np.eye(self.spec.n_actions, dtype=np.float32)

    def reset(self, seed: int) -> Point:
        """Start an episode."""
        none = np.zeros((self.spec.n_agents, self.spec.n_actions), np.float32)
        return _shown(self.env.reset(seed), none)

    def step(self, actions: NDArray[np.int64]) -> Step:
        """Execute the joint action (n,)."""
        step = self.env.step(actions)
        return step._replace(point=_shown(step.point, self._codes[actions]))

    def render(self) -> object:
        """Return the environment's picture, None where it has none."""
        render = getattr(self.env, "render", None)
        return None if render is None else render()

    def close(self) -> None:
        """Close the environment."""
        self.env.close()


class LastActionWorlds:
    """The same for worlds that step together.

    Args:
        worlds: the worlds.
    """

    def __init__(self, worlds: Worlds) -> None:
        self.worlds, self.name, self.spec = worlds, worlds.name, _wider(worlds.spec)
        self.agent_labels = getattr(worlds, "agent_labels", ())
        self._codes = np.eye(self.spec.n_actions, dtype=np.float32)

    def __len__(self) -> int:
        return len(self.worlds)

    def reset(self, indices: Sequence[int], seeds: Sequence[int]) -> Iterator[Point]:
        """Start episodes."""
        none = np.zeros((self.spec.n_agents, self.spec.n_actions), np.float32)
        return (_shown(point, none) for point in self.worlds.reset(indices, seeds))

    def step(self, indices: Sequence[int], actions: NDArray[np.int64]) -> Iterator[Step]:
        """Execute the joint actions (len(indices), n)."""
        steps = zip(self.worlds.step(indices, actions), actions, strict=True)
        return (step._replace(point=_shown(step.point, self._codes[joint])) for step, joint in steps)

    def close(self) -> None:
        """Close the worlds."""
        self.worlds.close()


def _wider(spec: EpisodeSpec) -> EpisodeSpec:
    """Return the spec with an observation that has A more numbers."""
    width = spec.obs_dim + spec.n_actions
    of_obs = None if spec.obs_scale is None else (*spec.obs_scale, *[1.0] * spec.n_actions)
    if not spec.concat_state:
        return dataclasses.replace(spec, obs_dim=width, obs_scale=of_obs)
    of_state = None if of_obs is None else of_obs * spec.n_agents
    return dataclasses.replace(
        spec, obs_dim=width, obs_scale=of_obs, state_dim=spec.n_agents * width, state_scale=of_state
    )


def _shown(point: Point, codes: NDArray[np.float32]) -> Point:
    return point._replace(obs=np.concatenate([point.obs, codes], axis=1))
