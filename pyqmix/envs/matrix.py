"""Matrix games: one joint action, one payoff."""

from __future__ import annotations

from dataclasses import dataclass
from reprlib import repr as shortened
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from pyqmix import _C
from pyqmix.base.errors import ConfigError
from pyqmix.base.options import ESSENTIAL, json_value
from pyqmix.envs.family import EnvFamily
from pyqmix.envs.native import NativeEnv
from pyqmix.envs.options import AgentInputs, EnvOptions

MOST_ACTIONS = 64  # of an agent


def _anything(name: str, value: object) -> None:
    """Accept every value, because the game itself checks the payoffs."""


@dataclass(frozen=True)
class MatrixOptions(EnvOptions, AgentInputs):
    """Options of :class:`MatrixGame`."""

    payoff: Annotated[Any, json_value(_anything), ESSENTIAL] = None
    """Payoffs: a nested list with one dimension for each agent."""


class MatrixGame(NativeEnv):
    """One joint action, one payoff: agent i chooses the index along axis i of the payoff array.

    Agents observe 1 before their action, and 0 after it.

    Args:
        payoff: nested sequence or array of at least one dimension; its number of dimensions is the number
            of agents. Where agents have different numbers of actions, the surplus ones are unavailable.
        **options: the other options of :class:`MatrixOptions`.

    Raises:
        ConfigError: the payoff is not a regular array of finite numbers, or an agent has more than 64 actions.
    """

    def __init__(self, payoff: object, **options: Any) -> None:
        chosen = MatrixOptions(payoff=payoff, **options)
        self.payoff = _payoffs(payoff)
        native = _C.MatrixEnv(
            sizes=list(self.payoff.shape), payoffs=self.payoff.ravel().tolist(), last_action=chosen.last_action
        )
        super().__init__("matrix", native, chosen.scale_inputs)


def _payoffs(payoff: object) -> NDArray[np.float64]:
    if payoff is None:
        raise ConfigError("payoff: matrix needs the payoffs, a nested list of numbers")
    try:
        values = np.array(payoff)
    except (ValueError, RecursionError):
        raise ConfigError(f"payoff: expected a regular nested list of numbers, got {shortened(payoff)}") from None
    if values.dtype.kind not in "iuf" or values.ndim == 0 or values.size == 0 or not np.isfinite(values).all():
        raise ConfigError(f"payoff: expected a nested list of finite numbers, got {shortened(payoff)}")
    if max(values.shape) > MOST_ACTIONS:
        raise ConfigError(f"payoff: expected at most {MOST_ACTIONS} actions of each agent, got {values.shape}")
    return np.ascontiguousarray(values, dtype=np.float64)


def _make(options: MatrixOptions) -> MatrixGame:
    return MatrixGame(**vars(options))


FAMILY = EnvFamily("matrix", MatrixOptions, _make, native=True, explores_fully=True)
