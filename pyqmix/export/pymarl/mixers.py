"""The mixers of PyMARL and EPyMARL; the parameters of QMIX's have the same names here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from pyqmix.base.errors import ConfigError
from pyqmix.export.pymarl.agents import named

_ONE, _TWO = ("{}.",), ("{}.0.", "{}.2.")


def _names(layers: int) -> tuple[str, ...]:
    hypernet = _ONE if layers == 1 else _TWO
    networks = (("hyper_w_1", hypernet), ("hyper_b_1", _ONE), ("hyper_w_final", hypernet), ("V", _TWO))
    return tuple(
        each.format(network) + parameter
        for network, parts in networks
        for each in parts
        for parameter in ("weight", "bias")
    )


NAMES = {layers: _names(layers) for layers in (1, 2)}  # in the order of the parameters


def hypernet_layers(path: Path, tensors: Mapping[str, Tensor]) -> int:
    """Return the layers of the hypernetworks of a QMIX mixer; 0 of a mixer without parameters, VDN's.

    Raises:
        ConfigError: it is another mixer.
    """
    if not tensors:
        return 0
    for layers, names in NAMES.items():
        if tensors.keys() == set(names):
            return layers
    raise ConfigError(
        f"{path}: expected the parameters hyper_w_1, hyper_b_1, hyper_w_final and V of a QMixer, or none for VDN, "
        f"got {named(tensors)}"
    )


def readers(weights: Mapping[str, Tensor]) -> list[str]:
    """Return the names of the weights whose columns are the numbers of the state."""
    networks = ("hyper_w_1", "hyper_b_1", "hyper_w_final", "V")
    return [name if (name := f"{each}.0.weight") in weights else f"{each}.weight" for each in networks]


def widened(weight: Tensor, n_agents: int, codes: int) -> Tensor:
    """Give a weight (R, n·O) of concatenated observations zeros for a last action behind each: (R, n·(O + A))."""
    parts = weight.unflatten(1, (n_agents, -1))
    return torch.cat([parts, parts.new_zeros(len(weight), n_agents, codes)], -1).flatten(1)


def narrowed(weight: Tensor, n_agents: int, codes: int) -> Tensor | None:
    """Take these columns out of a weight again; None if they are not all zero."""
    parts = weight.unflatten(1, (n_agents, -1))
    return None if bool((parts[..., -codes:] != 0).any()) else parts[..., :-codes].flatten(1)
