"""The trained policy of a run, for use outside pyqmix: observations in, actions out, in numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from pyqmix.base import program_end
from pyqmix.base.files import AnyPath
from pyqmix.base.options import require_number
from pyqmix.base.spec import EpisodeSpec
from pyqmix.base.torch_modes import usual_modes
from pyqmix.config.trust import Trust
from pyqmix.nn import Agent
from pyqmix.play.rollout import epsilon_greedy
from pyqmix.run.checkpoint import NEWEST
from pyqmix.run.policy_inputs import read_avail, read_obs, read_worlds
from pyqmix.run.stored_agent import read_agent

Observations = NDArray[Any] | Sequence[Any]


@program_end.call()
@usual_modes()
def load_policy(
    run_dir: AnyPath,
    agent: Callable[..., nn.Module] | None = None,
    checkpoint: str | int = NEWEST,
    *,
    trust: Trust = False,
) -> Policy:
    """Load the agent network of a run's checkpoint, on the CPU.

    Nothing of the environment is needed: the checkpoint has the sizes, and its package may be absent.

    Args:
        run_dir: the run's folder.
        agent: makes the agent network, where the name in the run's options cannot be looked up here.
        checkpoint: ``newest``, ``best``, or the number of its steps.
        trust: whether an agent network ``module:name`` in the run's options may be imported, as for
            :meth:`pyqmix.Config.from_json`.

    Raises:
        ConfigError: the folder is no run, its checkpoint is absent or damaged, an option of its network is
            unusable, or its agent network is unknown here or not trusted.
    """
    found = read_agent(run_dir, agent, checkpoint, trust=trust)
    return Policy(found.network, found.spec, found.options)


@dataclass
class _Memory:
    """What the policy remembers of K worlds: the network's hidden state, and their last actions as codes."""

    hidden: Tensor | None
    codes: NDArray[np.float32] | None
    worlds: int


class Policy:
    """Chooses the actions of n agents, in one world or in K worlds at a time; made by :func:`load_policy`.

    The policy remembers the episode: the hidden state of a recurrent network and, where the run used
    ``--last-action``, the agents' last actions, which it shows the network itself. :meth:`reset` begins an
    episode. Observations are the environment's own; the policy scales them as the run did. One thread may use it.

    Observations are (n, O), or (K, n, O) of K worlds, of any real dtype; or a sequence of n vectors of at most O
    numbers, padded with zeros, as pyqmix's adapters pad them, and None for an agent that takes part no more. With
    ``--last-action`` they may already hold the codes (A) of the last actions behind the O numbers.

    Attributes:
        n_agents: n.
        n_actions: A.
        obs_dim: O, the numbers of an observation without the last action.
        config: the run's options, as config.json has them, read-only.
    """

    def __init__(self, agent: Agent, spec: EpisodeSpec, config: Mapping[str, Any]) -> None:
        self.n_agents, self.n_actions, self.config = spec.n_agents, spec.n_actions, MappingProxyType(dict(config))
        self._codes_dim = spec.n_actions if config["last_action"] else 0
        self.obs_dim = spec.obs_dim - self._codes_dim
        self._agent = agent
        self._memory: _Memory | None = None
        self._random = np.random.default_rng()

    def act(
        self,
        obs: Observations,
        avail: ArrayLike | Sequence[Any] | None = None,
        epsilon: float = 0.0,
        rng: np.random.Generator | None = None,
    ) -> NDArray[np.int64]:
        """Choose the best available actions and remember the step.

        Args:
            obs: as the class says.
            avail: (n, A) or (K, n, A), True or 1 for the actions that are available; or a sequence of n masks of
                at most A, padded with False, and None for action 0 alone. None: all actions are available, also
                those that pad the smaller action sets of some agents.
            epsilon: the probability that an agent takes a uniformly random available action instead.
            rng: what decides that; None: a generator that differs from process to process.

        Returns:
            (n,) or (K, n).

        Raises:
            ValueError: an argument has another shape, dtype or number of worlds, an observation is not finite, or
                an agent has no available action. Nothing is remembered then.
        """
        require_number("epsilon", epsilon, 0.0, 1.0)
        inputs, batched = self._read(obs)
        allowed = read_avail(avail, inputs.shape[:2], self.n_actions, batched)
        qs, hidden = self._forward(inputs)
        draws = (rng or self._random).random((2, *inputs.shape[:2])) if epsilon > 0 else np.ones((2, 1, 1))
        actions = epsilon_greedy(qs, allowed, epsilon, draws[0], draws[1])
        codes = np.eye(self.n_actions, dtype=np.float32)[actions] if self._codes_dim else None
        self._memory = _Memory(hidden, codes, len(inputs))
        return actions if batched else actions[0]

    def q_values(self, obs: Observations) -> NDArray[np.float32]:
        """Return the agents' values (n, A) or (K, n, A) here, unavailable actions included.

        A look: the step is not remembered, so that :meth:`act` of the same observations decides by these values.

        Raises:
            ValueError: as for :meth:`act`.
        """
        inputs, batched = self._read(obs)
        qs, _ = self._forward(inputs)
        return qs if batched else qs[0]

    @program_end.call()
    @usual_modes()
    @torch.no_grad()
    def reset(self, worlds: int | Sequence[int] | NDArray[Any] | None = None) -> None:
        """Begin an episode.

        Args:
            worlds: in which of the K worlds: an index, several, or a mask (K,) bool. None: in all, of which there
                may be another number from here on.

        Raises:
            ValueError: there is no such world.
        """
        memory = self._memory
        if worlds is None or memory is None:
            self._memory = None
            return
        indices = read_worlds(worlds, memory.worlds)
        if memory.hidden is not None:
            initial = self._agent.initial_hidden(memory.worlds)
            assert initial is not None
            memory.hidden[indices] = initial[indices]
        if memory.codes is not None:
            memory.codes[indices] = 0.0

    def _read(self, obs: Observations) -> tuple[NDArray[np.float32], bool]:
        """Return observations (K, n, O) as the network reads them, and whether K was given."""
        inputs, batched = read_obs(obs, self.n_agents, self.obs_dim, self._codes_dim)
        memory = self._memory
        if memory is not None and memory.worlds != len(inputs):
            raise ValueError(
                f"obs: expected those of {memory.worlds} worlds, as in the last step, got {len(inputs)}; reset() "
                "begins with another number"
            )
        if inputs.shape[-1] == self.obs_dim and self._codes_dim:
            codes = None if memory is None else memory.codes
            if codes is None:
                codes = np.zeros((*inputs.shape[:2], self._codes_dim), np.float32)
            inputs = np.concatenate([inputs, codes], axis=-1)
        return inputs, batched

    @program_end.call()
    @usual_modes()
    @torch.no_grad()
    def _forward(self, inputs: NDArray[np.float32]) -> tuple[NDArray[np.float32], Tensor | None]:
        hidden = self._agent.initial_hidden(len(inputs)) if self._memory is None else self._memory.hidden
        qs, following = self._agent.act(torch.from_numpy(inputs), hidden)
        return qs.numpy(), following
