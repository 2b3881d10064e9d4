"""Whether the extension has a network's kind, so that it acts or learns in the network's place."""

from __future__ import annotations

from typing import cast

from torch import nn

from pyqmix.nn.layered_agent import LayeredAgent
from pyqmix.nn.qmixer import QMixer
from pyqmix.nn.untouched import is_watched


def native_kind(network: object) -> str | None:
    """Return a network's ``native_kind`` if every layer and method of it is as it was made; else None.

    A hook, an adapter, a parametrisation or a replaced layer would be left out by the extension.
    """
    kind = cast("str | None", getattr(network, "native_kind", None))
    return kind if isinstance(network, (LayeredAgent, QMixer)) and is_as_made(network) else None


def is_as_made(network: nn.Module) -> bool:
    """Whether one of pyqmix's own networks has the layers, methods and parameters of its kind, and no hooks."""
    has_own_methods = any(
        callable(value) and hasattr(type(network), name) for name, value in vars(network).items()
    )
    if has_own_methods or is_watched(network):
        return False
    expected = network.untouched_parameters() if isinstance(network, (LayeredAgent, QMixer)) else []
    parameters = list(network.parameters())  # in another order, or fewer, where layers were added or share some
    if expected is None or len(parameters) != len(expected):
        return False
    return all(p is q and not p._backward_hooks for p, q in zip(parameters, expected, strict=True))
