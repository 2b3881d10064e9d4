"""A user's agent network behind the interface of pyqmix's own."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from pyqmix.base.calling import blamed, shown
from pyqmix.base.errors import ConfigError
from pyqmix.nn.agent import Agent


class UserAgent(Agent):
    """A module that has ``forward(obs, hidden) -> (values, hidden)`` and perhaps ``initial_hidden(episodes)``.

    Its ``forward`` maps observations (K, n, O) of K episodes at one time step, and their hidden state (K, ...), to
    values (K, n, A) and the next hidden state, of the same shape. All are float32. A module without a hidden state
    gets and returns None. One that also has ``unroll(obs, batch_sizes)``, as :meth:`pyqmix.nn.Agent.unroll`
    describes it, maps whole episodes at once; otherwise they are unrolled step by step.

    With the option ``agent_id``, O counts a one-hot id (n) that is appended to each observation, unless the
    module's class takes a parameter ``agent_id`` and does it itself. Likewise ``obs_scale``.

    The module acts, and computes targets, in evaluation mode; its values must then depend on inputs and weights
    alone. It learns in training mode, so that it may have dropout and batch normalisation.

    Args:
        name: its name in error messages.
        net: the module.
        n_actions: A.
        agent_ids: n, if a one-hot id of the agent is appended to each observation; 0: none is.
        obs_scale: O factors by which observations are multiplied first; None: they are not.
    """

    def __init__(
        self, name: str, net: nn.Module, n_actions: int, agent_ids: int, obs_scale: tuple[float, ...] | None
    ) -> None:
        super().__init__(obs_scale)
        self.name, self.net, self.n_actions, self.agent_ids = name, net, n_actions, agent_ids
        with blamed(f"agent {name}", "initial_hidden(1)"):
            self.recurrent = self.initial_hidden(1) is not None

    def initial_hidden(self, episodes: int) -> Tensor | None:
        """Return the module's hidden state at the start of K episodes, in memory of its own.

        Raises:
            ConfigError: it is no tensor (K, ...).
        """
        initial = getattr(self.net, "initial_hidden", None)
        hidden = None if initial is None else initial(episodes)
        if hidden is not None and (not isinstance(hidden, Tensor) or hidden.dim() == 0 or len(hidden) != episodes):
            raise ConfigError(
                f"agent {self.name}: initial_hidden({episodes}): expected a tensor ({episodes}, ...) or None, "
                f"got {shown(hidden)}"
            )
        return None if hidden is None else hidden.clone()  # not an expanded parameter, as players write into it

    def act(self, obs: Tensor, hidden: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Map observations (K, n, O) and the hidden state to values (K, n, A) and the next hidden state."""
        return self._step(self.read(obs), hidden)

    def unroll(self, obs: Tensor, batch_sizes: Tensor | None = None) -> Tensor:
        """Map packed observations (R, n, O) to values (R, n, A)."""
        inputs = self.read(obs)
        at_once = getattr(self.net, "unroll", None)
        if at_once is not None:
            qs = at_once(inputs, batch_sizes)
            self._check_values(qs, inputs, "unroll")
            return cast(Tensor, qs)
        if not self.recurrent:
            return self._step(inputs, None)[0]
        if batch_sizes is None:
            raise ValueError("batch_sizes: expected the number of episodes at each step, got None")
        counts = batch_sizes.tolist()
        hidden = cast(Tensor, self.initial_hidden(counts[0])).to(inputs)
        values = []
        for at_time in inputs.split(counts):
            qs, following = self._step(at_time, hidden[: len(at_time)])
            hidden = cast(Tensor, following)
            values.append(qs)
        return torch.cat(values)

    def read(self, obs: Tensor) -> Tensor:
        """Return observations as the module gets them: scaled, with the agent's id."""
        inputs = super().read(obs)
        if not self.agent_ids:
            return inputs
        ids = torch.eye(self.agent_ids, dtype=inputs.dtype, device=inputs.device)
        return torch.cat([inputs, ids.expand(*inputs.shape[:-1], self.agent_ids)], dim=-1)

    def _step(self, inputs: Tensor, hidden: Tensor | None) -> tuple[Tensor, Tensor | None]:
        outputs: Any = self.net(inputs, hidden)
        if not isinstance(outputs, tuple) or len(outputs) != 2:
            raise ConfigError(
                f"agent {self.name}: forward: expected a tuple (values, hidden), got {shown(outputs)}"
            )
        qs, following = outputs
        self._check_values(qs, inputs, "forward")
        expected = None if hidden is None else hidden.shape
        if (None if following is None else getattr(following, "shape", ())) != expected:
            raise ConfigError(
                f"agent {self.name}: forward: expected a hidden state that keeps its shape, {shown(hidden)}, "
                f"got {shown(following)}"
            )
        return qs, following

    def _check_values(self, qs: Any, inputs: Tensor, of: str) -> None:
        expected = (*inputs.shape[:2], self.n_actions)
        if not isinstance(qs, Tensor) or qs.shape != expected:
            raise ConfigError(f"agent {self.name}: {of}: expected values {expected}, got {shown(qs)}")
