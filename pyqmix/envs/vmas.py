"""VMAS scenarios with discrete actions (arXiv:2207.03530): many worlds in one call of the simulator.

VMAS keeps the state of its random draws in one place for all of its objects, and swaps it with torch's at each
call. Here each object has its own, which a world's reset seeds: an episode depends on its seed and actions alone.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyqmix.base.errors import ConfigError, unknown
from pyqmix.base.spec import EpisodeSpec
from pyqmix.envs.family import EnvFamily
from pyqmix.envs.importing import first_line, import_optional
from pyqmix.envs.last_action import LastActionWorlds
from pyqmix.envs.offers import own_limit
from pyqmix.envs.options import AdapterOptions
from pyqmix.envs.protocol import Env, Point, Step
from pyqmix.envs.worlds import WorldEnv, Worlds

if TYPE_CHECKING:  # torch takes seconds, and --help lists these options
    import torch

DEFAULT_TASK, DEFAULT_LIMIT = "balance", 100
DRAW_IN_STEPS = ("discovery", "football", "joint_passage", "joint_passage_size", "road_traffic")
"""Scenarios whose steps or observations draw random numbers, for all worlds of a batch together."""
_FULL_VECTORS = 32  # torch computes numbers behind the last full vectors by other code, with another last bit


@dataclass(frozen=True)
class VmasOptions(AdapterOptions):
    """Options of ``--env vmas``."""

    batched: bool = True
    """Step all worlds of a process in one call of VMAS. Scenarios that draw random numbers in their steps need one
    call for each world: discovery, football, the joint passages and road_traffic always have it."""

    @property
    def draws_in_steps(self) -> bool:
        """Whether each world must be stepped by itself."""
        return not self.batched or self.task in DRAW_IN_STEPS


class VmasWorlds:
    """K worlds of a scenario in one VMAS environment on the CPU.

    Observations are padded with zeros to the widest one; every agent has its own discrete actions. The state is
    the concatenated observations. The step limit truncates; it is that of ``env_args``, "max_steps", or
    else 100.
    More worlds than K are simulated, idle, where K is no multiple of 32: an episode then has the same bits for
    every K, with one thread of torch.

    Args:
        options: the task is the scenario's name, ``env_args`` its keyword arguments.
        count: K.

    Raises:
        ConfigError: vmas is not installed, has no such scenario or argument, or an option does not fit.
    """

    def __init__(self, options: VmasOptions, count: int) -> None:
        import torch

        self._options, self._count = options, count
        alone = options.draws_in_steps
        if alone and count > 1:
            raise ValueError(
                f"count: expected 1, because {options.task} draws random numbers in steps, got {count}"
            )
        size = count if alone else -(-count // _FULL_VECTORS) * _FULL_VECTORS
        self.name = options.task or DEFAULT_TASK
        arguments = options.arguments
        if (own := own_limit([arguments])) is not None:
            arguments.pop("max_steps", None)  # at which VMAS would report termination
        self._env = _make_env(self.name, size, arguments)
        self._random = list(type(self._env).vmas_random_state)
        shown = self._observe()
        if not all(isinstance(obs, torch.Tensor) for obs in shown):
            raise ConfigError(f"task: {self.name} has observations that are no vectors: not supported")
        self._actions = [int(space.n) for space in self._env.action_space]
        self._avail = np.arange(max(self._actions)) < np.array(self._actions)[:, None]
        self._avail.setflags(write=False)
        width = max(obs.shape[1] for obs in shown)
        if options.scale_inputs:
            raise ConfigError(f"scale_inputs: {self.name} has observations without bounds")
        self.spec = EpisodeSpec(
            n_agents=len(shown),
            n_actions=max(self._actions),
            obs_dim=width,
            state_dim=len(shown) * width,
            episode_limit=options.episode_limit or own or DEFAULT_LIMIT,
            concat_state=True,
        )
        self._steps = np.zeros(size, np.int64)
        self.agent_labels = tuple(str(agent.name) for agent in self._env.agents)

    def __len__(self) -> int:
        return self._count

    def reset(self, indices: Sequence[int], seeds: Sequence[int]) -> list[Point]:
        """Start episodes; each seed is that of all random draws of its world's reset."""
        self._steps[list(indices)] = 0
        with self._own_random_state():
            for index, seed in zip(indices, seeds, strict=True):
                self._env.seed(seed % 2**32)  # numpy takes no larger one
                self._env.reset_at(index, return_observations=False)
            shown = self._observe()
        return self._points(indices, shown)

    def step(self, indices: Sequence[int], actions: NDArray[np.int64]) -> list[Step]:
        """Step all worlds, the idle ones without an action."""
        import torch

        joint = np.zeros((len(self._steps), self.spec.n_agents), np.float32)
        joint[list(indices)] = actions
        with self._own_random_state(), torch.no_grad():
            shown, rewards, done, _ = self._env.step(list(torch.from_numpy(joint).unsqueeze(-1).unbind(1)))
            self._require_no_draws()
        self._steps[list(indices)] += 1
        each = np.stack([reward.numpy().reshape(-1) for reward in rewards], axis=1).astype(np.float64)
        team = each.mean(1) if self._options.team_reward == "mean" else each.sum(1)
        points, at_limit = self._points(indices, shown), self._steps >= self.spec.episode_limit
        return [
            Step(point, float(team[k]), *self._options.ending(bool(at_limit[k]), bool(done[k])))
            for k, point in zip(indices, points, strict=True)
        ]

    def close(self) -> None:
        """Do nothing: VMAS holds no resources."""

    def _observe(self) -> list[torch.Tensor]:
        shown: list[torch.Tensor] = self._env.get_from_scenario(
            get_observations=True, get_rewards=False, get_infos=False, get_dones=False
        )[0]
        return shown

    def _points(self, indices: Sequence[int], shown: list[torch.Tensor]) -> list[Point]:
        obs = np.zeros((len(self._steps), self.spec.n_agents, self.spec.obs_dim), np.float32)
        for agent, values in enumerate(shown):
            obs[:, agent, : values.shape[1]] = values.numpy()
        return [Point(obs[index], self._avail, None) for index in indices]

    def _require_no_draws(self) -> None:
        import torch

        now = type(self._env).vmas_random_state[0]
        if not self._options.draws_in_steps and not torch.equal(now, self._random[0]):
            raise ValueError(
                "this scenario draws random numbers in its steps, so that its worlds depend on each other: set "
                "--no-batched"
            )

    @contextlib.contextmanager
    def _own_random_state(self) -> Iterator[None]:
        shared = type(self._env).vmas_random_state
        shared[:] = self._random
        yield
        self._random = list(shared)


def _make_env(task: str, size: int, arguments: dict[str, Any]) -> Any:
    with contextlib.redirect_stderr(io.StringIO()):  # gym, which vmas imports, says there that it is old
        vmas = import_optional("vmas", "task: the scenarios of VMAS", "'pyqmix-marl[vmas]'")
    scenarios = [*vmas.scenarios, *vmas.mpe_scenarios, *vmas.debug_scenarios]
    if task not in scenarios:
        raise unknown("task", task, scenarios)
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        try:
            env = vmas.make_env(task, size, device="cpu", continuous_actions=False, seed=0, **arguments)
        except (Exception, SystemExit) as error:  # the scenario's own code may raise anything
            raise ConfigError(f"env_args: vmas cannot make {task}: {first_line(error)}") from error
    for warning in given:
        if "not used by the scenario" in str(warning.message):
            raise ConfigError(f"env_args: {task}: {str(warning.message).partition(' This will')[0]}")
    return env


def _make(options: VmasOptions) -> Env:
    return WorldEnv(VmasWorlds(options, 1))


def _make_batch(options: VmasOptions, count: int) -> Worlds | None:
    if options.draws_in_steps:
        return None
    worlds = VmasWorlds(options, count)
    return LastActionWorlds(worlds) if options.last_action else worlds


FAMILY = EnvFamily(
    "vmas",
    VmasOptions,
    _make,
    default_task=DEFAULT_TASK,
    make_batch=_make_batch,
    safe_tasks=r"\w+",  # scenarios that the package lists; any other name is refused before it is opened
)
