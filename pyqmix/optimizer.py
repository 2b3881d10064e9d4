"""The optimizer of a block of parameters, with gradient clipping."""

from __future__ import annotations

import torch
from torch import Tensor

from pyqmix import ops
from pyqmix.config import Config
from pyqmix.nn.flat import FlatParameters


class BlockAdam(torch.optim.Adam):
    """``torch.optim.Adam`` of one block on the CPU, whose state it keeps, with clipping and step in one call.

    torch's own step takes six times as long for a block of the usual size, and longer with two threads.
    """

    def clipped_step(self, max_norm: float) -> Tensor:
        """Scale the gradient down to a norm of at most ``max_norm``, take a step; return the norm () it had."""
        (group,) = self.param_groups
        (block,) = group["params"]
        state = self.state[block]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(block), torch.zeros_like(block)
        state["step"] += 1
        blocks = (block.detach(), block.grad, state["exp_avg"], state["exp_avg_sq"])
        step, betas = int(state["step"].item()), group["betas"]
        return ops.adam(*blocks, step, group["lr"], betas, group["eps"], max_norm=max_norm)


def make_optimizer(config: Config, flat: FlatParameters) -> torch.optim.Optimizer:
    """Build the optimizer that a run's options name."""
    captured = flat.block.is_cuda and config.backend == "fused"  # its graph reads the learning rate from memory
    lr = torch.tensor(config.lr, device=flat.block.device) if captured else config.lr
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop([flat.block], lr=lr, alpha=0.99, eps=1e-5, capturable=captured)
    if config.backend == "fused" and flat.block.is_cpu:
        return BlockAdam([flat.block], lr=lr)
    return torch.optim.Adam([flat.block], lr=lr, fused=True, capturable=captured)


def clipped_step(optimizer: torch.optim.Optimizer, flat: FlatParameters, max_norm: float) -> Tensor:
    """Clip the block's gradient and take the optimizer's step; return the norm () that the gradient had."""
    if isinstance(optimizer, BlockAdam):
        return optimizer.clipped_step(max_norm)
    norm = flat.clip_grad_norm(max_norm)
    optimizer.step()
    return norm
