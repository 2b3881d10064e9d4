"""A learner's part of a checkpoint: networks, optimizer, and the statistics of the rewards."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from pyqmix.base.errors import ConfigError
from pyqmix.base.options import require_number
from pyqmix.learn.learner import Learner
from pyqmix.learn.standardiser import RewardStandardiser
from pyqmix.run import checkpoint, manifest
from pyqmix.run.manifest import Manifest

# What torch's optimizers keep of each parameter; a step is a number, the others have the parameter's shape.
_ENTRIES = {"adam": ("step", "exp_avg", "exp_avg_sq"), "rmsprop": ("step", "square_avg")}


def weights(learner: Learner) -> dict[str, Tensor]:
    """Return the parameters and buffers of all networks, by the network and their names in it."""
    return {
        f"{name}.{key}": tensor.clone()  # a copy, outside the block of all parameters
        for name in checkpoint.NETWORKS
        for key, tensor in getattr(learner, name).state_dict().items()
    }


def optimizer(learner: Learner) -> dict[str, Tensor]:
    """Cut the optimizer's state of the one block into that of each parameter."""
    names = _parameters(learner)
    state: dict[int, dict[str, Tensor]] = learner.optimizer.state_dict()["state"]
    cut: dict[str, Tensor] = {}
    for entry, tensor in state.get(0, {}).items():
        parts = learner.flat.views(tensor) if tensor.dim() else [tensor] * len(names)
        cut |= {f"{name}.{entry}": part.clone() for name, part in zip(names, parts, strict=True)}
    return cut


def load(found: Manifest, learner: Learner) -> None:
    """Read networks, optimizer and reward statistics into a learner of the same configuration, to go on training.

    Raises:
        ConfigError: the checkpoint is damaged, or of other networks or another environment.
    """
    load_weights(found, learner)
    _load_optimizer(found, learner)
    _load_standardiser(found, learner)


def load_weights(found: Manifest, learner: Learner) -> None:
    """Read the networks of a checkpoint into a learner of the same configuration.

    Raises:
        ConfigError: the checkpoint is damaged, or of other networks or another environment.
    """
    if (spec := checkpoint.read_spec(found)) != learner.spec:
        raise ConfigError(f"{found.folder}: the environment has changed: {spec} became {learner.spec}")
    for name in checkpoint.NETWORKS:
        checkpoint.load_network(found, name, getattr(learner, name))


def _parameters(learner: Learner) -> dict[str, Tensor]:
    """Return the learner's parameters by their names, in the optimizer's order."""
    names = ("agent", "mixer")
    return {f"{name}.{key}": p for name in names for key, p in getattr(learner, name).named_parameters()}


def _load_optimizer(found: Manifest, learner: Learner) -> None:
    path, tensors = found.folder / checkpoint.OPTIMIZER, found.tensors(checkpoint.OPTIMIZER)
    if not tensors and learner.updates == 0:
        return
    parameters, entries = _parameters(learner), _ENTRIES[learner.config.optimizer]
    expected = {f"{name}.{entry}": (name, entry) for name in parameters for entry in entries}
    if odd := sorted(tensors.keys() ^ expected.keys()):
        raise ConfigError(f"{path}: expected the state of {learner.config.optimizer}, but {odd[0]} does not fit")
    for key, (name, entry) in expected.items():
        shape = torch.Size([]) if entry == "step" else parameters[name].shape
        got = tensors[key]
        if got.shape != shape or not got.is_floating_point():
            raise ConfigError(f"{path}: {key}: expected {tuple(shape)} floats, got {tuple(got.shape)} {got.dtype}")
    manifest.finite(path, tensors)
    if any(
        bool((tensors[key] < 0).any()) for key, (_, entry) in expected.items() if entry in ("step", entries[-1])
    ):
        raise ConfigError(f"{path}: expected steps and squares of at least 0")
    learner.load_optimizer_state(_joined(tensors, list(parameters), entries))


def _joined(
    tensors: Mapping[str, Tensor], names: list[str], entries: tuple[str, ...]
) -> dict[int, dict[str, Tensor]]:
    """Join the states that :func:`optimizer` cut; the number of steps is the same for all."""
    of_all = {entry: [tensors[f"{name}.{entry}"] for name in names] for entry in entries}
    return {
        0: {
            entry: parts[0] if entry == "step" else torch.cat([part.reshape(-1) for part in parts])
            for entry, parts in of_all.items()
        }
    }


def _load_standardiser(found: Manifest, learner: Learner) -> None:
    try:
        state = RewardStandardiser(**found.value("standardiser")).state()
        for name, low in (("mean", -torch.inf), ("variance", 0.0), ("count", 0.0)):
            require_number(name, state[name], low=low)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise ConfigError(f"{found.folder}: expected the statistics of rewards, but {error}") from error
    learner.standardiser.load(state)
