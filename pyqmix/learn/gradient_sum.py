"""Makes one training step of the gradients of several learners, each of a part of the batch."""

from __future__ import annotations

import torch
from torch import Tensor

from pyqmix.base.ranks import Ranks
from pyqmix.learn.rows import StepRows
from pyqmix.nn.flat import FlatParameters


class GradientSum:
    """Averages gradients, and the means that go with them, by one collective.

    The gradient of B episodes is the mean of the gradients of the learners' equal parts of them: with the loss of
    episodes the plain mean, with that of transitions the mean weighted by the parts' numbers of steps. Behind the
    gradient, in the same memory, lie the loss, the sums of values and of targets, the number of steps, and the
    learner's weight.

    Args:
        ranks: the learners.
        flat: the parameters.
        by_steps: whether a learner counts by its number of steps.
    """

    def __init__(self, ranks: Ranks, flat: FlatParameters, by_steps: bool) -> None:
        self._ranks, self._by_steps = ranks, by_steps
        self._all, self._tail = flat.grad_and_tail, flat.grad_and_tail[len(flat.block) :]

    @torch.no_grad()
    def offer(self, rows: StepRows, loss: Tensor, values: Tensor, targets: Tensor) -> Tensor:
        """Weigh this learner's gradient, and write its numbers behind it; waits for no device.

        Args:
            rows: N steps.
            loss: (), their loss, whose gradient is in the block.
            values: (N, *M).
            targets: (N, *M).

        Returns:
            (TAIL,), where the numbers lie.
        """
        steps = rows.real.sum().to(self._all)
        weight = steps if self._by_steps else torch.ones_like(steps)
        if self._by_steps:
            self._all.mul_(weight)
        torch.stack(
            [loss * weight, rows.mean(values) * steps, rows.mean(targets) * steps, steps, weight], out=self._tail
        )
        return self._tail

    @torch.no_grad()
    def total(self) -> tuple[Tensor, Tensor, Tensor]:
        """Put the mean gradient of all learners into the block; return loss (), mean value () and mean target ().

        Raises:
            RankError: another learner has ended.
        """
        self._ranks.sum(self._all)
        loss, values, targets, steps, weight = self._tail.clone().unbind()
        self._all.div_(weight)
        return loss / weight, values / steps, targets / steps
