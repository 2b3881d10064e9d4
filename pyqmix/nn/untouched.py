"""Whether a module is exactly what this package made of it, so that a kernel may compute it in the module's place.

A subclass, an adapter or a parametrisation in a layer's place, pruning, a hook, or a method that was replaced may
compute something else. Such a module is called.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as global_hooks

from pyqmix.ops.backend import wants_reference
from pyqmix.ops.eager import is_autocast


def is_untouched(module: nn.Module, kind: type[nn.Module]) -> bool:
    """Whether a module is of exactly this class, and calling it is that class's forward and nothing else."""
    return type(module) is kind and not is_watched(module)


def is_watched(module: nn.Module) -> bool:
    """Whether calling a module is more than its class's forward: there are hooks, or a forward of its own."""
    return are_all_watched() or _is_watched_itself(module.__dict__)


def may_fuse(inputs: object) -> bool:
    """Whether one kernel may compute a network of untouched layers, as far as inputs and calling code tell.

    They lie on the CPU, nothing is compiled, autocast is off, the reference is not asked for, and no hook sees the
    calls of all modules.
    """
    if torch.compiler.is_compiling() or not isinstance(inputs, Tensor) or not inputs.is_cpu:
        return False
    return not (is_autocast(inputs) or wants_reference() or are_all_watched())


def are_all_watched() -> bool:
    """Whether there are hooks of all modules."""
    return bool(
        global_hooks._global_forward_hooks
        or global_hooks._global_forward_pre_hooks
        or global_hooks._global_backward_hooks
        or global_hooks._global_backward_pre_hooks
    )


def untouched_parameters(module: nn.Module, kind: type[nn.Module], names: Sequence[str]) -> list[Tensor] | None:
    """Return the parameters of a layer that is untouched but for hooks of all modules.

    None of any other, or of one that has other parameters (pruning).
    """
    state = module.__dict__  # read at once: this stands before every call of a network
    own = state["_parameters"]
    if type(module) is not kind or _is_watched_itself(state) or len(own) != len(names) or state["_buffers"]:
        return None
    parameters = []
    for name in names:
        parameter = own.get(name)
        if parameter is None:
            return None
        parameters.append(parameter)
    return parameters


def _is_watched_itself(state: dict[str, Any]) -> bool:
    return bool(
        state["_forward_hooks"]
        or state["_forward_pre_hooks"]
        or state["_backward_hooks"]
        or state["_backward_pre_hooks"]
        or "forward" in state
    )
