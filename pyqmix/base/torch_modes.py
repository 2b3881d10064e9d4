"""Keeps the torch modes of the calling program away from a run, which computes the same in all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch


@contextmanager
def usual_modes() -> Iterator[None]:
    """Let this thread compute in the block as in a program that has set no mode.

    Gradients are recorded, inside of ``torch.no_grad`` and ``torch.inference_mode`` too, autocast is off, and
    tensors without a device lie on the CPU, whatever ``torch.set_default_device`` says.
    """
    with ExitStack() as stack:
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        if not torch.is_grad_enabled():
            stack.enter_context(torch.enable_grad())
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield
