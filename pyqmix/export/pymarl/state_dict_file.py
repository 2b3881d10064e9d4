"""Files of ``torch.save`` that hold a ``state_dict``: the only place of the package that calls ``torch.load``.

A pickle can name any function, which an ordinary unpickler then calls. Here torch's restricted one reads it, which
makes tensors and plain containers alone.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pyqmix.base.errors import ConfigError
from pyqmix.base.files import replacing
from pyqmix.base.untrusted import read_bytes

LARGEST = 1 << 30  # bytes of a file
_CONTENT = "a state_dict of tensors"


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file as float32, on the CPU. The file may come from anyone.

    Raises:
        ConfigError: it is absent, no regular file or too large, or holds anything but finite tensors by name.
    """
    data = read_bytes(path, LARGEST, _CONTENT)
    _require_uncompressed(path, data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found: Any = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # of a damaged or hostile file, of nearly any class
        raise ConfigError(f"{path}: expected {_CONTENT}, but {_reason(error)}") from error
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise ConfigError(f"{path}: expected {_CONTENT}, got a {type(found).__name__}")
    left = len(data)
    for name, value in found.items():
        _require_tensor(path, name, value)
        left -= value.numel() * value.element_size()
        if left < 0:
            raise ConfigError(f"{path}: {name}: expected tensors that the file's {len(data):,} bytes hold")
    tensors = {name: value.detach().to(torch.float32).contiguous() for name, value in found.items()}
    for name, tensor in tensors.items():
        if not bool(tensor.isfinite().all()):
            raise ConfigError(f"{path}: {name} has values that are not finite")
    return tensors


def write_state_dict(path: Path, state: Mapping[str, Any]) -> None:
    """Write a file that ``torch.load`` reads, whole or not at all.

    Raises:
        OSError: it cannot be written; ``filename`` is the file's.
    """
    content = io.BytesIO()
    torch.save(dict(state), content)
    with replacing(path) as temporary:
        temporary.write_bytes(content.getvalue())


def _require_uncompressed(path: Path, data: bytes) -> None:
    """Require that the parts of an archive are not larger than itself: torch compresses none."""
    if not data.startswith(b"PK"):
        return  # torch's older format
    try:
        entries = zipfile.ZipFile(io.BytesIO(data)).infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, UnicodeError) as error:
        raise ConfigError(f"{path}: expected {_CONTENT}, but {_reason(error)}") from error
    if sum(entry.file_size for entry in entries) > len(data):
        raise ConfigError(f"{path}: expected {_CONTENT} that is not compressed")


def _require_tensor(path: Path, name: str, value: object) -> None:
    if not isinstance(value, Tensor):
        raise ConfigError(f"{path}: {name}: expected a tensor, got a {type(value).__name__}")
    if value.layout != torch.strided or value.is_meta or value.is_quantized or not value.is_floating_point():
        raise ConfigError(f"{path}: {name}: expected a dense tensor of floats, got {value.layout} {value.dtype}")


def _reason(error: Exception) -> str:
    """Say why torch refuses a file, without its advice to switch the restriction off."""
    named = re.search(r"GLOBAL ([\w.]+)", str(error))
    return f"it names {named[1]}, which is no tensor" if named else "it is damaged, or none of torch.save"
