"""The two-step cooperative game of the QMIX paper: small enough that every value of Q_tot can be checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyqmix import _C
from pyqmix.envs.family import EnvFamily
from pyqmix.envs.native import NativeEnv
from pyqmix.envs.options import AgentInputs, EnvOptions


@dataclass(frozen=True)
class TwoStepOptions(EnvOptions, AgentInputs):
    """Options of :class:`TwoStep`."""


class TwoStep(NativeEnv):
    """The two-step cooperative game of arXiv:1803.11485, section 5.

    In the first state agent 0 alone decides: action 0 leads to state 2A, where every joint action is worth
    7, action 1 to 2B, where only (1, 1) is worth 8. Both agents observe the state as a one-hot vector
    (first, 2A, 2B), which is zero after the end.

    Args:
        **options: of :class:`TwoStepOptions`.
    """

    def __init__(self, **options: Any) -> None:
        chosen = TwoStepOptions(**options)
        super().__init__("two_step", _C.TwoStepEnv(last_action=chosen.last_action), chosen.scale_inputs)


def _make(options: TwoStepOptions) -> TwoStep:
    return TwoStep(**vars(options))


FAMILY = EnvFamily("two_step", TwoStepOptions, _make, native=True, explores_fully=True)
