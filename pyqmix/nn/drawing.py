"""The random numbers of networks that are made or that learn, apart from those of the program around them.

Torch has one generator for the whole process, from which every constructor and every dropout draws. Networks whose
constructors pyqmix brings draw from a generator of their own instead, and the process's is not touched. A user's
module may draw in ways that only the process's generator knows, so it gets that one: seeded, and afterwards set
back to where it was, while no other thread of pyqmix has it. Another thread of the program that draws from it in
that time disturbs both.

Threading contract: any number of threads may make networks and train them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from pyqmix.nn.untouched import is_watched

_turn = threading.RLock()  # of the process's generator
_DRAW = (torch.Tensor.uniform_, torch.Tensor.normal_)  # by which torch's layers fill their parameters
_PLAIN = (nn.Linear, nn.Sequential, nn.ModuleList, nn.ReLU, nn.ELU, nn.Tanh, nn.Identity, nn.LayerNorm)


def _forget_turn() -> None:
    global _turn
    _turn = threading.RLock()  # another thread may have held it, and that one is not in the child


os.register_at_fork(after_in_child=_forget_turn)


@contextmanager
def drawing(seed: int, *factories: object) -> Iterator[None]:
    """Let the constructors that the block calls draw from a generator of this seed.

    The process's generator is as before afterwards. Either way the networks are those that it would give.

    Args:
        seed: in [0, 2**63).
        factories: classes and functions that make the networks. Where pyqmix brings all of them, parameters are
            float32 whatever ``torch.set_default_dtype`` says.
    """
    if all(is_own_factory(factory) for factory in factories):
        with _OwnGenerator(torch.Generator().manual_seed(seed)):
            yield
    else:
        with seeded(seed):
            yield


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Seed the process's generators for the block, and set them back afterwards; other threads wait their turn.

    Args:
        seed: in [0, 2**63).
        device: a GPU whose generator is meant, too.
    """
    gpus = [device] if device is not None and device.type == "cuda" else []
    with _turn, torch.random.fork_rng(devices=gpus):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed takes 0.3 ms to ask for other devices
        if gpus:
            torch.cuda.manual_seed(seed)
        yield


def is_own_factory(factory: object) -> bool:
    """Whether pyqmix brings a class or a function that makes networks."""
    return str(getattr(factory, "__module__", "")).startswith("pyqmix.")


def may_draw(network: nn.Module) -> bool:
    """Whether a network may use random numbers while it computes, as one with dropout or a hook does."""
    return not all(
        (type(module) in _PLAIN or is_own_factory(type(module))) and not is_watched(module)
        for module in network.modules()
    )


class _OwnGenerator(TorchFunctionMode):
    """Has this thread's layers draw their parameters from a generator, and makes them float32.

    A dispatch mode would see every operation, but importing what it needs takes seconds.
    """

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self._generator = generator

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if (func in _DRAW or "generator" in given) and given.get("generator") is None:
            given["generator"] = self._generator
        if func is torch.empty and given.get("dtype") is None:
            given["dtype"] = torch.float32
        return func(*args, **given)
