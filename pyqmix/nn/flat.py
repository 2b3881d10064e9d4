"""Parameters of several modules in one block of memory."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

TAIL = 5  # numbers that learners sum together with their gradients


class FlatParameters:
    """Moves the parameters of some modules into one block, of which each becomes a view.

    Clipping, the optimizer and the copy to a target network, which treat all of them alike, are then one
    operation each. The modules work as before: state dictionaries are loaded in place.

    Args:
        modules: whose parameters, all of one dtype and device.

    Attributes:
        parameters: the modules' own, in their order.
        block: (N,) nn.Parameter, all of them; its gradient is written by :meth:`set_grads`.
        grad_and_tail: (N + TAIL,), memory that begins with the block's gradient.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self.parameters = [p for module in modules for p in module.parameters()]
        self.block = nn.Parameter(torch.cat([p.detach().reshape(-1) for p in self.parameters]))
        self._bind()

    def __deepcopy__(self, memo: dict[int, Any]) -> FlatParameters:
        copied = copy.copy(self)
        memo[id(self)] = copied
        copied.parameters = copy.deepcopy(self.parameters, memo)  # each has memory of its own now
        copied.block = copy.deepcopy(self.block, memo)
        copied._bind()
        return copied

    def _bind(self) -> None:
        for parameter, view in zip(self.parameters, self.views(self.block.detach()), strict=True):
            parameter.data = view
        self.grad_and_tail = self.block.detach().new_zeros(len(self.block) + TAIL)
        self.block.grad = self.grad_and_tail[: len(self.block)]

    def views(self, block: Tensor) -> Iterator[Tensor]:
        """Cut a block (N,) into views of the parameters' shapes."""
        parts = block.split([p.numel() for p in self.parameters])
        return (part.view(p.shape) for part, p in zip(parts, self.parameters, strict=True))

    def set_grads(self, loss: Tensor) -> None:
        """Compute a loss's gradient into the block's.

        Zero for parameters that the loss does not depend on, and for frozen ones (``requires_grad`` is False),
        which the optimizer therefore leaves as they are.
        """
        learned = [p for p in self.parameters if p.requires_grad]
        grads = iter(torch.autograd.grad(loss, learned, allow_unused=True))
        of_each = [(p, next(grads) if p.requires_grad else None) for p in self.parameters]
        parts = [(torch.zeros_like(p) if grad is None else grad).reshape(-1) for p, grad in of_each]
        torch.cat(parts, out=self.block.grad)

    def clip_grad_norm(self, max_norm: float) -> Tensor:
        """Scale the block's gradient down to a norm of at most ``max_norm``; return the norm () it had.

        As ``torch.nn.utils.clip_grad_norm_`` does, in a third of its time for one tensor.
        """
        assert self.block.grad is not None
        norm: Tensor = torch.linalg.vector_norm(self.block.grad)
        self.block.grad.mul_((max_norm / (norm + 1e-6)).clamp(max=1.0))
        return norm
