"""Reads a checkpoint's networks from a run that another program may be writing."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from pyqmix.base.errors import ConfigError
from pyqmix.base.files import AnyPath
from pyqmix.run.checkpoint import NEWEST, WEIGHTS, find
from pyqmix.run.manifest import Manifest

_RETRIES = 3  # each finds the checkpoints that are there by then


@dataclass(frozen=True)
class Stored(Manifest):
    """A checkpoint whose networks are in memory, so that the run may remove its files.

    Attributes:
        weights: the tensors of all its networks.
    """

    weights: Mapping[str, Tensor]

    @property
    def steps(self) -> int:
        """The environment steps of the run up to this checkpoint."""
        return int(self.folder.name.rpartition("_")[2])

    def tensors(self, name: str) -> dict[str, Tensor]:
        """Return the networks' tensors; of another file, read it as :class:`Manifest` does."""
        return dict(self.weights) if name == WEIGHTS else super().tensors(name)


def read_stored(run_dir: AnyPath, which: str = NEWEST) -> Stored:
    """Read the networks of one of a run's checkpoints.

    The run that writes them removes older ones, also while this one is read: then the choice is made again.

    Args:
        run_dir: the run's folder.
        which: ``newest``, ``best``, or the number of its steps.

    Raises:
        ConfigError: the folder is no run, it has no such checkpoint, or the checkpoint is damaged.
    """
    for _ in range(_RETRIES):
        with suppress(ConfigError):
            return _read(Path(run_dir), which)
    return _read(Path(run_dir), which)


def _read(run_dir: Path, which: str) -> Stored:
    found = Manifest.read(find(run_dir, which))
    return Stored(found.folder, found.state, found.tensors(WEIGHTS))
