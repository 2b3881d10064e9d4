"""The interface of mixers whose loss or target needs more of a batch than the chosen values and the states."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from pyqmix.base.calling import shown
from pyqmix.base.errors import ConfigError
from pyqmix.learn.rows import StepRows


@runtime_checkable
class JointMixer(Protocol):
    """A mixer that computes loss and target from the whole batch.

    It may read the observations, all values of an agent, or the joint action. Further networks, such as one for
    the joint value, are its submodules, so that the optimizer, the target copy and the checkpoints have them. A
    mixer without these methods is monotone in the agents' values, and :class:`pyqmix.nn.Mixer` is its interface.
    """

    def batch_loss(self, rows: StepRows, qs: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the loss () and, detached, the values (N,) that the targets are compared with.

        Args:
            rows: N steps, P points in time.
            qs: (P, n, A), the online agents' values at all points.
            targets: (N,), without gradient.
            weights: (N,), of the steps' errors in the loss; zero for padding.
        """

    def batch_targets(
        self, rows: StepRows, rewards: Tensor, next_qs: Tensor, online_next_qs: Tensor | None, gamma: float
    ) -> Tensor:
        """Compute one-step targets (N,) with this mixer as the target mixer; called without gradients.

        Args:
            rows: N steps.
            rewards: (N,), those that are learned from.
            next_qs: (N, n, A), the target agents' values at o'.
            online_next_qs: (N, n, A), the online agents' values at o', to choose the actions (double-Q); or None.
            gamma: the discount.

        Raises:
            NoAvailableActionError: an agent of a step that is not terminated has no available action at o'.
        """


def joint_loss(
    mixer: JointMixer, rows: StepRows, qs: Tensor, targets: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Call :meth:`JointMixer.batch_loss`.

    Raises:
        ConfigError: the loss or the values have another shape.
    """
    returned = mixer.batch_loss(rows, qs, targets, weights)
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise _unexpected(mixer, "batch_loss", "a tuple (loss, values)", returned)
    loss, values = returned
    _require_shape(mixer, "the loss of batch_loss", loss, ())
    _require_shape(mixer, "the values of batch_loss", values, targets.shape)
    return loss, values


def joint_targets(
    mixer: JointMixer,
    rows: StepRows,
    rewards: Tensor,
    next_qs: Tensor,
    online_next_qs: Tensor | None,
    gamma: float,
) -> Tensor:
    """Call :meth:`JointMixer.batch_targets`.

    Raises:
        ConfigError: the targets have another shape, with which values of the right shape would broadcast.
    """
    targets = mixer.batch_targets(rows, rewards, next_qs, online_next_qs, gamma)
    _require_shape(mixer, "batch_targets", targets, rewards.shape)
    return targets


def _require_shape(mixer: JointMixer, call: str, values: object, shape: tuple[int, ...]) -> None:
    if not isinstance(values, Tensor) or values.shape != shape:
        raise _unexpected(mixer, call, f"a tensor {tuple(shape)}", values)


def _unexpected(mixer: JointMixer, call: str, expected: str, got: object) -> ConfigError:
    return ConfigError(f"mixer {type(mixer).__name__}: {call}: expected {expected}, got {shown(got)}")
