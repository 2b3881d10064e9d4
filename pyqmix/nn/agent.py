"""Agent networks ``Q_i(o_i, ·; θ)``: one for all agents, told apart by a one-hot id, or one for each.

Observations are the environment's; a network with a scale multiplies them by it first.

Networks take observations of one time step of several episodes (:meth:`act`) or of whole episodes
(:meth:`unroll`). The latter come *packed*: real steps only, time-major, episodes in order of falling
length, as ``torch.nn.utils.rnn.PackedSequence`` has it, so that padding costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn


class Agent(nn.Module):
    """The base of agent networks, which reads observations (..., O) times ``obs_scale`` (O,) where there is one.

    A subclass defines :meth:`initial_hidden`, :meth:`act` and :meth:`unroll`, which must agree. It acts in
    evaluation mode and learns in training mode; persistent buffers go with its parameters to the target network,
    to those who act, and to checkpoints.

    Args:
        obs_scale: O factors, which are in no state_dict; None: observations are read as they are.

    Attributes:
        native_kind: which agent network of the extension has these parameters in this order and computes the same;
            None: none does. A native policy then acts, and a native training step learns, in this network's place.
            A subclass does not inherit it.
        recurrent: its values depend on earlier steps of the episode too, so that it learns from whole episodes.
        hidden_dim, agent_id, share_parameters: of a native kind, the arguments that it was made with.
    """

    native_kind: ClassVar[str | None] = None
    recurrent: bool = False
    obs_scale: Tensor | None
    hidden_dim: int
    agent_id: bool
    share_parameters: bool

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        cls.native_kind = cls.__dict__.get("native_kind")

    def __init__(self, obs_scale: Sequence[float] | None = None) -> None:
        super().__init__()
        self.register_buffer("obs_scale", None if obs_scale is None else torch.tensor(obs_scale), persistent=False)

    def read(self, obs: Tensor) -> Tensor:
        """Return observations (..., O) as the network's first layer gets them."""
        return obs if self.obs_scale is None else obs * self.obs_scale

    def initial_hidden(self, episodes: int) -> Tensor | None:
        """Return the hidden state (K, ...) at the start of K episodes; None of a network that has none."""
        raise NotImplementedError

    def act(self, obs: Tensor, hidden: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Map observations (K, n, O) of K episodes to values (K, n, A) and the next hidden state (K, ...)."""
        raise NotImplementedError

    def unroll(self, obs: Tensor, batch_sizes: Tensor | None = None) -> Tensor:
        """Map packed observations (R, n, O) of whole episodes to values (R, n, A).

        Args:
            obs: (R, n, O), R the sum of ``batch_sizes``.
            batch_sizes: (T,) int64 on the CPU, the number of episodes that reach each time step.
        """
        raise NotImplementedError
