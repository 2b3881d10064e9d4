"""The agent networks of PyMARL and EPyMARL and their counterparts here, parameter by parameter.

``RNNAgent`` is linear - ReLU - ``GRUCell`` - linear, as ``gru`` is here. With ``use_rnn=False`` its ``rnn`` is a
linear layer with a ReLU, which makes it ``mlp``. ``RNNNSAgent`` has one such network for each agent. The inputs
are observation, one-hot last action and one-hot agent id, in this order, there as here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from pyqmix.base.errors import ConfigError

# Names here and there, in the order of the parameters.
NAMES = {
    "gru": {
        "fc1.weight": "fc1.weight",
        "fc1.bias": "fc1.bias",
        "rnn.weight_ih_l0": "rnn.weight_ih",
        "rnn.weight_hh_l0": "rnn.weight_hh",
        "rnn.bias_ih_l0": "rnn.bias_ih",
        "rnn.bias_hh_l0": "rnn.bias_hh",
        "fc2.weight": "fc2.weight",
        "fc2.bias": "fc2.bias",
    },
    "mlp": {
        "fc1.weight": "fc1.weight",
        "fc1.bias": "fc1.bias",
        "fc2.weight": "rnn.weight",
        "fc2.bias": "rnn.bias",
        "fc3.weight": "fc2.weight",
        "fc3.bias": "fc2.bias",
    },
}
_OF_AGENT = re.compile(r"agents\.(\d{1,6})\.(.+)")


def to_pymarl(kind: str, weights: Mapping[str, Tensor], shared: bool) -> dict[str, Tensor]:
    """Return the ``state_dict`` of an ``RNNAgent``, or of an ``RNNNSAgent`` if the network is not shared.

    Args:
        kind: ``gru`` or ``mlp``.
        weights: of the network here, by name; with a leading dimension n if it is not shared.
        shared: whether it is one network for all agents.
    """
    named = {theirs: weights[ours] for ours, theirs in NAMES[kind].items()}
    if shared:
        return named
    n_agents = len(named["fc1.weight"])
    return {f"agents.{i}.{name}": tensor[i].clone() for i in range(n_agents) for name, tensor in named.items()}


def from_pymarl(path: Path, tensors: Mapping[str, Tensor]) -> tuple[str, dict[str, Tensor], bool]:
    """Return the kind of a network, its weights under the names here, and whether it is shared.

    Raises:
        ConfigError: it is neither of the two networks.
    """
    shared = not any(map(_OF_AGENT.fullmatch, tensors))
    stacked = tensors if shared else _stacked(path, tensors)
    for kind, names in NAMES.items():
        if stacked.keys() == set(names.values()):
            return kind, {ours: stacked[theirs] for ours, theirs in names.items()}, shared
    expected = "fc1, rnn and fc2 of an RNNAgent or RNNNSAgent"
    raise ConfigError(f"{path}: expected the parameters {expected}, got {named(tensors)}")


def _stacked(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Stack the parameters of agents 0, 1, ..., n - 1."""
    of_agents: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        match = _OF_AGENT.fullmatch(name)
        if match is None:
            raise ConfigError(f"{path}: expected agents.0.fc1.weight and its like alone, got {name!r}")
        of_agents.setdefault(int(match[1]), {})[match[2]] = tensor
    if sorted(of_agents) != list(range(len(of_agents))):
        raise ConfigError(f"{path}: expected agents 0 to {len(of_agents) - 1}, got {sorted(of_agents)[:8]}")
    first = of_agents[0]
    for agent, own in of_agents.items():
        if {k: v.shape for k, v in own.items()} != {k: v.shape for k, v in first.items()}:
            raise ConfigError(f"{path}: expected the same parameters of all agents, but agents.{agent} has others")
    return {name: torch.stack([of_agents[k][name] for k in range(len(of_agents))]) for name in first}


def named(tensors: Mapping[str, Tensor], most: int = 4) -> str:
    """List the names of some tensors."""
    names = [name[:60] for name in list(tensors)[:most]]
    return ", ".join(names + ["..."] * (len(tensors) > most)) or "none"
