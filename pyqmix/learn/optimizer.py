"""The optimizer of a block of parameters, with gradient clipping."""

from __future__ import annotations

import torch
from torch import Tensor

from pyqmix import ops
from pyqmix.config import Config
from pyqmix.nn.flat import FlatParameters


class BlockAdam(torch.optim.Adam):
    """``torch.optim.Adam`` of one block, whose state it keeps, with clipping and step in one call.

    On the CPU torch's own step takes six times as long for a block of the usual size, and longer with two threads;
    on a GPU it is ten launches in place of three.
    """

    def clipped_step(self, max_norm: float) -> Tensor:
        """Scale the gradient down to a norm of at most ``max_norm``, take a step; return the norm () it had."""
        (group,) = self.param_groups
        (block,) = group["params"]
        state = self.state[block]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=block.device)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(block), torch.zeros_like(block)
        state["step"] += 1
        blocks = (block.detach(), block.grad, state["exp_avg"], state["exp_avg_sq"])
        step = state["step"] if block.is_cuda else int(state["step"].item())
        return ops.adam(*blocks, step, group["lr"], group["betas"], group["eps"], max_norm=max_norm)


def make_optimizer(config: Config, flat: FlatParameters, captured: bool = False) -> torch.optim.Optimizer:
    """Build the optimizer that a run's options name.

    Args:
        config: the run's options.
        flat: the parameters.
        captured: whether a CUDA graph will take its steps, which reads the learning rate from memory.
    """
    if config.optimizer == "rmsprop":
        lr = torch.tensor(config.lr, dtype=torch.float32, device=flat.block.device) if captured else config.lr
        return torch.optim.RMSprop([flat.block], lr=lr, alpha=0.99, eps=1e-5, capturable=captured)
    if config.backend == "fused":
        on_gpu = flat.block.is_cuda  # where ops.adam reads step and learning rate from memory, captured or not
        lr = torch.tensor(config.lr, dtype=torch.float32, device=flat.block.device) if on_gpu else config.lr
        return BlockAdam([flat.block], lr=lr, capturable=on_gpu)
    return torch.optim.Adam([flat.block], lr=config.lr, fused=True)


def clipped_step(optimizer: torch.optim.Optimizer, flat: FlatParameters, max_norm: float) -> Tensor:
    """Clip the block's gradient and take the optimizer's step; return the norm () that the gradient had."""
    if isinstance(optimizer, BlockAdam):
        return optimizer.clipped_step(max_norm)
    norm = flat.clip_grad_norm(max_norm)
    optimizer.step()
    return norm
