"""Starts a new run from the weights of another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from pyqmix.base.errors import ConfigError
from pyqmix.learn.learner import Learner
from pyqmix.run import checkpoint
from pyqmix.run.manifest import Manifest
from pyqmix.run.stored import read_stored

_NAMED = 3  # most weights that a line names


def init_from(learner: Learner, run_dir: Path) -> str:
    """Copy the weights of a run's newest checkpoint into a new learner, each one whose name and shape fit.

    The agent network and the mixer are taken from the other run's online networks; the target networks become
    equal to them. Only the checkpoint's weights are read, so that the other run's networks may be of kinds that
    are unknown here. Optimizer and counters are left as they are.

    Args:
        learner: of the new run.
        run_dir: the other run's folder.

    Returns:
        A line that names the checkpoint, and which weights fit and which do not.

    Raises:
        ConfigError: the folder is no run, its checkpoint is damaged, or no weight fits.
    """
    try:
        found = read_stored(run_dir)
        fits = [_copy(found, name, getattr(learner, name)) for name in ("agent", "mixer")]
    except ConfigError as error:
        raise ConfigError(f"init_from: {error}") from error
    said = "; ".join(map(str, fits))
    if not any(fit.copied for fit in fits):
        raise ConfigError(f"init_from: no weight of {found.folder} fits: {said}")
    for online, target in ((learner.agent, learner.target_agent), (learner.mixer, learner.target_mixer)):
        cast(nn.Module, target).load_state_dict(cast(nn.Module, online).state_dict())
    return f"initial weights from {found.folder}: {said}"


@dataclass(frozen=True)
class _Fit:
    """How the weights of a network fit.

    Attributes:
        network: its name.
        copied: how many fit.
        total: how many it has.
        others: of those that do not fit, the reasons.
    """

    network: str
    copied: int
    total: int
    others: tuple[str, ...]

    def __str__(self) -> str:
        if self.total == 0:
            return f"{self.network}: has no weights"
        text = f"{self.network}: {self.copied} of {self.total}"
        if self.others:
            more = len(self.others) - _NAMED
            text += ", not " + ", ".join(self.others[:_NAMED]) + (f" and {more} more" if more > 0 else "")
        return text


@torch.no_grad()
def _copy(found: Manifest, name: str, network: nn.Module) -> _Fit:
    theirs, ours = checkpoint.read_weights(found, name), network.state_dict()
    others = tuple(filter(None, (_reason(key, value, theirs) for key, value in ours.items())))
    for key, value in ours.items():
        if not _reason(key, value, theirs):
            value.copy_(theirs[key])  # in place, because the parameters are views of one block
    return _Fit(name, len(ours) - len(others), len(ours), others)


def _reason(key: str, value: Tensor, theirs: Mapping[str, Tensor]) -> str:
    """Say why a weight does not fit; empty if it does."""
    if key not in theirs:
        return f"{key} (absent there)"
    shapes = tuple(theirs[key].shape), tuple(value.shape)
    return "" if shapes[0] == shapes[1] else f"{key} {shapes[0]} != {shapes[1]}"
