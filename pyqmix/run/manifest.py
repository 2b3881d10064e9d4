"""The files of a checkpoint, and progress.json, which lists them with their sizes and checksums.

The checksums show damage, not intent: whoever made the checkpoint has made them too. So every value is checked
again where it is used.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from pyqmix.base.errors import ConfigError
from pyqmix.base.options import LARGEST_INT, require_int
from pyqmix.base.sealed import is_intact, sealed
from pyqmix.base.untrusted import read_bytes, read_json, require_file
from pyqmix.replay import EpisodeRing, RingFile, RingFileError

VERSION = 2  # of the format; 1 had no checksums and no replay buffer
NAME = "progress.json"
_FILE = re.compile(r"[a-z]\w*\.\w+")  # in the checkpoint's own folder
_ENTRY = {"bytes", "checksum"}
_HEX = re.compile(r"[0-9a-f]{16}|[0-9a-f]{64}")  # of a ring; of other files, SHA-256


@dataclass(frozen=True)
class Manifest:
    """The content of a checkpoint's progress.json.

    Attributes:
        folder: the checkpoint's.
        state: by name, what is no array; ``files`` has the sizes and checksums of the other files.
    """

    folder: Path
    state: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read progress.json and check it by its checksum.

        Raises:
            ConfigError: it is absent, damaged, or of another version.
        """
        path = folder / NAME
        state = read_json(path)
        if not isinstance(state, dict) or not isinstance(state.get("version"), int):
            raise ConfigError(f"{path}: expected the progress of a run")
        if state["version"] != VERSION:
            age = "a newer" if state["version"] > VERSION else "an older"
            raise ConfigError(
                f"{path}: expected a checkpoint of version {VERSION}, got {age} one, {state['version']}"
            )
        if not is_intact(state):
            raise ConfigError(f"{path}: the checksum is wrong: the file is damaged")
        files = state.get("files")
        if not isinstance(files, dict) or any(
            not _FILE.fullmatch(name) or not _is_entry(entry) for name, entry in files.items()
        ):
            raise ConfigError(f"{path}: expected the files of a checkpoint with their sizes and checksums")
        return cls(folder, state)

    def has(self, name: str) -> bool:
        """Whether the checkpoint has a file."""
        return name in self.state["files"]

    def tensors(self, name: str) -> dict[str, Tensor]:
        """Read a file of tensors and check it by its checksum.

        Raises:
            ConfigError: it is absent or damaged.
        """
        path = self.folder / name
        entry = self._entry(name)
        data = read_bytes(path, entry["bytes"])
        if len(data) != entry["bytes"] or hashlib.sha256(data).hexdigest() != entry["checksum"]:
            raise ConfigError(f"{path}: the size or the checksum is wrong: the file is damaged")
        try:
            tensors: dict[str, Tensor] = safetensors.torch.load(data)
        except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise ConfigError(f"{path}: expected the tensors of a checkpoint, but {error}") from error
        return tensors

    def ring(self, names: list[str], ring: EpisodeRing) -> None:
        """Restore a ring from its files, of which each has the episodes of later tickets than those before.

        Raises:
            ConfigError: one is absent or damaged, or is another ring's.
        """
        paths = [self.folder / name for name in names]
        for path in paths:
            require_file(path)
        try:
            for name, read in zip(names, ring.restore(paths), strict=True):
                self._require_entry(name, read)
        except OSError as error:
            raise ConfigError(f"{error.filename or self.folder}: cannot read it: {error.strerror}") from error
        except ConfigError:
            raise
        except (RuntimeError, ValueError) as error:
            raise ConfigError(f"{self.folder}: {error}") from error

    def _require_ring(self, name: str) -> None:
        path = self.folder / name
        require_file(path)
        try:
            self._require_entry(name, EpisodeRing.verify(path))
        except (OSError, RingFileError) as error:
            raise ConfigError(f"{path}: {error}") from error

    def _require_entry(self, name: str, read: RingFile) -> None:
        entry = self._entry(name)
        if (read.nbytes, read.checksum) != (entry["bytes"], int(entry["checksum"], 16)):
            raise ConfigError(
                f"{self.folder / name}: the size or the checksum is not the checkpoint's: the file is another one"
            )

    def verify(self) -> None:
        """Read every file and check it by its checksum.

        Raises:
            ConfigError: one is absent or damaged.
        """
        for name in self.state["files"]:
            if name.endswith(".ring"):
                self._require_ring(name)
            else:
                self.tensors(name)

    def value(self, *names: str) -> Any:
        """Return what lies under a name, and under a further name in that.

        Raises:
            ConfigError: there is nothing.
        """
        found: Any = self.state
        for name in names:
            if not isinstance(found, Mapping) or name not in found:
                raise ConfigError(f"{self.folder / NAME}: expected {'.'.join(names)}, got none")
            found = found[name]
        return found

    def integer(self, *names: str, low: int = 0, high: int = LARGEST_INT) -> int:
        """Return an integer that lies under such names.

        Raises:
            ConfigError: there is none, or it lies outside [low, high].
        """
        found = self.value(*names)
        try:
            require_int(".".join(names), found, low, high)
        except ConfigError as error:
            raise ConfigError(f"{self.folder / NAME}: {error}") from error
        return int(found)

    def _entry(self, name: str) -> dict[str, Any]:
        if not self.has(name):
            raise ConfigError(f"{self.folder}: the checkpoint has no {name}")
        entry: dict[str, Any] = self.state["files"][name]
        return entry


def pack(state: Mapping[str, Any]) -> bytes:
    """Write the content of progress.json, with its version and its checksum."""
    return sealed({"version": VERSION, **state}).encode()


def entry_of(data: bytes) -> dict[str, Any]:
    """Return size and checksum of a file's content."""
    return {"bytes": len(data), "checksum": hashlib.sha256(data).hexdigest()}


def _is_entry(entry: object) -> bool:
    if not isinstance(entry, dict) or set(entry) != _ENTRY:
        return False
    size, checksum = entry["bytes"], entry["checksum"]
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        return False
    return isinstance(checksum, str) and _HEX.fullmatch(checksum) is not None


def ring_entry(file: RingFile) -> dict[str, Any]:
    """Return size and checksum of a file of episodes."""
    return {"bytes": file.nbytes, "checksum": f"{file.checksum:016x}"}


def finite(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Require that every floating-point value is finite.

    Raises:
        ConfigError: one is not; names the tensor.
    """
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise ConfigError(f"{path}: {name} has values that are not finite")
