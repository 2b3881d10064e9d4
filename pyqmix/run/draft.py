"""A checkpoint that is being written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from pyqmix.base.files import PARTIAL, flush, write_new
from pyqmix.replay import EpisodeRing
from pyqmix.run import checkpoint, manifest


class Draft:
    """Writes the files of a checkpoint to a folder of another name, and then renames it.

    The files reach the disk only in :meth:`commit`, which another thread may call.

    Args:
        folder: where the checkpoint will be; its parent exists.

    Raises:
        OSError: of every method: a file cannot be written; ``filename`` is the file's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.partial = folder, folder.with_name(folder.name + PARTIAL)
        self.files: dict[str, dict[str, Any]] = {}
        self.written = 0
        self._new: list[Path] = []
        _clear(self.partial)
        _make_room(self.partial)
        self.partial.mkdir()

    def tensors(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        """Write a file of tensors."""
        own = {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}
        self._write(name, safetensors.torch.save(own))

    def ring(self, name: str, ring: EpisodeRing, since: int, until: int) -> None:
        """Write the episodes of a ring's tickets [since, until)."""
        path = self.partial / name
        written = ring.dump(path, since, until)
        self.files[name] = manifest.ring_entry(written)
        self._new.append(path)
        self.written += written.nbytes

    def reuse(self, files: Mapping[str, tuple[Path, Mapping[str, Any]]]) -> bool:
        """Take files over from another checkpoint: all, or none where the file system has no hard links.

        Args:
            files: by the name that each gets, where it lies and its size and checksum.
        """
        try:
            for name, (source, _) in files.items():
                os.link(source, self.partial / name, follow_symlinks=False)
        except OSError:
            for name in files:
                (self.partial / name).unlink(missing_ok=True)
            return False
        self.files |= {name: dict(entry) for name, (_, entry) in files.items()}
        return True

    def finish(self, state: Mapping[str, Any]) -> None:
        """Write progress.json, which is the last file."""
        self._write(manifest.NAME, manifest.pack({**state, "files": self.files}))

    def commit(self) -> None:
        """Wait until the files are on the disk, and move the checkpoint to its place."""
        for path in self._new:
            flush(path)
        flush(self.partial)
        checkpoint.remove(self.folder)  # of the same step, from before a run went back to an older checkpoint
        _make_room(self.folder)
        self.partial.rename(self.folder)
        flush(self.folder.parent)

    def drop(self) -> None:
        """Remove what has been written."""
        with suppress(OSError):
            _clear(self.partial)

    def _write(self, name: str, data: bytes) -> None:
        path = self.partial / name
        write_new(path, data)
        if name != manifest.NAME:
            self.files[name] = manifest.entry_of(data)
        self._new.append(path)
        self.written += len(data)


def _make_room(folder: Path) -> None:
    """Rename a folder in which somebody else has put files."""
    if folder.exists():
        names = (folder.with_name(f"{folder.name}.kept-{k}") for k in count(1))
        folder.rename(next(name for name in names if not name.exists()))


def _clear(partial: Path) -> None:
    """Remove an unfinished checkpoint."""
    checkpoint.remove(partial)
    if partial.is_symlink():
        partial.unlink()
