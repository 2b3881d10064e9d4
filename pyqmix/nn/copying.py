"""Copies of networks, with what ``copy.deepcopy`` refuses or leaves out."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TypeVar

from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


def copied(network: Network) -> Network:
    """Copy a network deeply, with the hooks of its parameters.

    ``copy.deepcopy`` refuses weights that a layer computes from its parameters, as with pruning and weight
    normalisation. The copy has their values until it is called and computes its own.
    """
    memo: dict[int, object] = {id(x): x.detach().clone() for x in _computed_tensors(network)}
    twin = copy.deepcopy(network, memo)
    for parameter, other in zip(network.parameters(), twin.parameters(), strict=True):
        if parameter._backward_hooks:
            other._backward_hooks = parameter._backward_hooks
    return twin


def _computed_tensors(network: nn.Module) -> Iterator[Tensor]:
    for module in network.modules():
        for value in vars(module).values():
            for each in value if isinstance(value, list) else [value]:  # nn.GRU has a list of its weights
                if isinstance(each, Tensor) and not each.is_leaf:
                    yield each
