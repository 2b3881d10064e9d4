"""Whether a module is exactly what this package made of it, so that a kernel may compute it in the module's place.

A subclass, an adapter or a parametrisation in a layer's place, pruning, a hook, or a method that was replaced may
compute something else. Such a module is called.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn
from torch.nn.modules import module as global_hooks


def is_untouched(module: nn.Module, kind: type[nn.Module]) -> bool:
    """Whether a module is of exactly this class, and calling it is that class's forward and nothing else."""
    return type(module) is kind and not is_watched(module)


def is_watched(module: nn.Module) -> bool:
    """Whether calling a module is more than its class's forward: there are hooks, or a forward of its own."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or global_hooks._global_forward_hooks
        or global_hooks._global_forward_pre_hooks
        or global_hooks._global_backward_hooks
        or global_hooks._global_backward_pre_hooks
        or "forward" in module.__dict__
    )


def untouched_parameters(module: nn.Module, kind: type[nn.Module], names: Sequence[str]) -> list[Tensor] | None:
    """Return the parameters of an untouched layer; None of any other, or of one that has others (pruning)."""
    own = module._parameters
    if not is_untouched(module, kind) or len(own) != len(names) or module._buffers:
        return None
    parameters = [own.get(name) for name in names]
    return None if any(p is None for p in parameters) else cast(list[Tensor], parameters)
