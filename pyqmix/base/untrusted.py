"""Files that may come from elsewhere, and are read with care.

A file must be a regular file of a limited size: a symbolic link could lead out of the folder in which it was sent,
a FIFO never ends an open call, and a device never ends a read.
"""

from __future__ import annotations

import errno
import json
import math
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pyqmix.base.errors import ConfigError

DEEPEST_JSON, LONGEST_NUMBER = 100, 400  # levels; characters, more than the largest float has
_KINDS = {
    stat.S_IFREG: "a regular file",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_bytes(path: Path, most: int = 1 << 30, content: str = "data") -> bytes:
    """Read a regular file that is not a symbolic link; links in the folders above it are followed.

    Args:
        path: the file.
        most: the largest size that is read. A file that grows meanwhile is read up to the size that it had.
        content: names its content in the message.

    Raises:
        ConfigError: it is absent, is no regular file, is larger, or cannot be read.
    """
    try:
        _require_kind(path, os.lstat(path), stat.S_IFREG, f"{content} in a regular file")
        with open(_open_for_reading(path), "rb") as file:  # of the descriptor, so that nothing else can be opened
            found = os.fstat(file.fileno())
            _require_kind(path, found, stat.S_IFREG, f"{content} in a regular file")
            if found.st_size > most:
                raise ConfigError(f"{path}: expected {content} of at most {most:,} bytes, got {found.st_size:,}")
            return file.read(found.st_size)
    except ConfigError:
        raise
    except (OSError, ValueError) as error:  # ValueError: the path has a zero byte or a lone surrogate
        raise ConfigError(f"{path}: expected {content}, but {_reason(error)}") from error


def read_text(path: Path, most: int = 1 << 26, content: str = "UTF-8 text") -> str:
    """Read a text file as :func:`read_bytes` does.

    Raises:
        ConfigError: likewise, or it is not UTF-8.
    """
    data = read_bytes(path, most, content)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: expected {content}, but {error}") from error


def read_json(path: Path, most: int = 1 << 26, content: str = "JSON") -> Any:
    """Read a JSON file as :func:`read_bytes` does.

    Raises:
        ConfigError: likewise, or it is not JSON; or it has more than 100 levels, a number that is not finite or
            has more than 400 characters, or text that UTF-8 cannot hold.
    """
    text = read_text(path, most, content)
    try:
        value = json.loads(text, parse_constant=_finite, parse_float=_finite, parse_int=_integer)
        _require_shallow(value)
        json.dumps(value, ensure_ascii=False).encode()  # refuses lone surrogates
    except RecursionError as error:
        raise ConfigError(f"{path}: expected {content}, but it is nested too deeply") from error
    except ValueError as error:
        raise ConfigError(f"{path}: expected {content}, but {error}") from error
    return value


def require_folder(path: Path) -> None:
    """Require a folder that is not a symbolic link; links above it are followed.

    Raises:
        ConfigError: it is absent, or something else.
    """
    _require(path, stat.S_IFDIR, "a folder")


def require_file(path: Path) -> None:
    """Require a regular file that is not a symbolic link; links above it are followed.

    Raises:
        ConfigError: it is absent, or something else.
    """
    _require(path, stat.S_IFREG, "a regular file")


def texts_in(value: object) -> Iterator[str]:
    """Give every text in a value that JSON can hold, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield str(key)
            yield from texts_in(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from texts_in(each)


def _require(path: Path, kind: int, expected: str) -> None:
    try:
        _require_kind(path, os.lstat(path), kind, expected)
    except ConfigError:
        raise
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: expected {expected}, but {_reason(error)}") from error


def require_replaceable(path: Path) -> None:
    """Require that a file can be written whole at a path that the user named: nothing but a file is replaced.

    Raises:
        ConfigError: something else is there, such as a symbolic link or a device.
    """
    if os.path.lexists(path):
        _require_kind(path, os.lstat(path), stat.S_IFREG, "a regular file or none")


def _open_for_reading(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ConfigError(f"{path}: expected a regular file, got a symbolic link") from error
        raise


def _require_kind(path: Path, found: os.stat_result, kind: int, expected: str) -> None:
    if (got := stat.S_IFMT(found.st_mode)) != kind:
        raise ConfigError(f"{path}: expected {expected}, got {_KINDS.get(got, 'something else')}")


def _reason(error: Exception) -> str:
    return str(error.strerror or error) if isinstance(error, OSError) else str(error)


def _finite(text: str) -> float:
    if not math.isfinite(value := float(_limited(text))):
        raise ValueError(f"it holds {text}, which is not finite")
    return value


def _integer(text: str) -> int:
    return int(_limited(text))


def _limited(text: str) -> str:
    if len(text) > LONGEST_NUMBER:
        raise ValueError(f"it holds a number of {len(text)} characters")
    return text


def _require_shallow(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST_JSON):
        level = [child for each in level for child in _children(each)]
        if not level:
            return
    raise ValueError(f"it has more than {DEEPEST_JSON} levels")


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value
