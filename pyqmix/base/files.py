"""Files that are written whole or not at all; one that has been written survives a loss of power."""

from __future__ import annotations

import errno
import glob
import json
import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

AnyPath = str | os.PathLike[str]  # of functions that users call
PARTIAL = ".partial"  # ends the name of a file or folder that is being written
MODE = 0o666  # of new files, from which the system takes the bits of the umask
_RANDOM = r"\.[a-z0-9_]{8}" + re.escape(PARTIAL)  # behind the file's name
_NO_FOLDERS = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary file in the same folder, which replaces ``path`` at the end; an exception removes it.

    A symbolic link in the place of ``path`` is replaced, not followed.

    Raises:
        OSError: it cannot be written; ``filename`` is ``path``.
    """
    name = ""
    try:
        name = _make_temporary(path)
        yield Path(name)
        flush(Path(name))
        os.replace(name, path)
        flush(path.parent)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(name)
        if isinstance(error, OSError):
            _name_after(path, error)
        raise


def require_writable(path: Path) -> None:
    """Try whether :func:`replacing` can begin, and leave everything as it is.

    Raises:
        OSError: it cannot; ``filename`` is ``path``.
    """
    try:
        os.unlink(_make_temporary(path))
    except OSError as error:
        _name_after(path, error)
        raise


def remove_unfinished(path: Path) -> None:
    """Remove what :func:`replacing` left of a file when a program was killed.

    Raises:
        OSError: something cannot be removed.
    """
    for found in path.parent.glob(glob.escape(path.name) + ".*"):
        if _is_temporary(found.name, path) and stat.S_ISREG(found.lstat().st_mode):
            found.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a file of UTF-8, whole or not at all.

    Raises:
        OSError: it cannot be written; ``filename`` is the file's.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file whole or not at all."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def write_new(path: Path, data: bytes) -> None:
    """Write a file that does not exist yet, without waiting for the disk.

    Raises:
        OSError: it exists, or cannot be written; ``filename`` is the file's.
    """
    with naming(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
        try:
            append(descriptor, data, path)
        finally:
            os.close(descriptor)


def open_to_append(path: Path) -> IO[bytes]:
    """Open a file to write at its end, or make it; a symbolic link is not followed, and a FIFO not waited for.

    Raises:
        OSError: it cannot be opened.
    """

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, MODE)

    return open(path, "ab", opener=opener)


def append(descriptor: int, data: bytes, path: Path) -> None:
    """Write all of some bytes to the end of an open file.

    Raises:
        OSError: they cannot be written; ``filename`` is ``path``.
    """
    left = memoryview(data)
    with naming(path):
        while left:
            left = left[os.write(descriptor, left) :]


def flush(path: Path) -> None:
    """Wait until a file's content, or a folder's names, are on the disk.

    Raises:
        OSError: they cannot be written; ``filename`` is the file's.
    """
    with naming(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # of a FIFO, without waiting
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in _NO_FOLDERS or not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise  # some file systems cannot synchronise a folder
        finally:
            os.close(descriptor)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Give an OSError of the block the name of the file that it is about: a full disk has none by itself."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def _make_temporary(path: Path) -> str:
    """Make an empty file beside another, with the mode of a new file, unlike tempfile's; return its path."""
    name = str(path.parent / f"{path.name}.{secrets.token_hex(4)}{PARTIAL}")
    os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE))
    return name


def _name_after(path: Path, error: OSError) -> None:
    """Give an error about a temporary file, or about the folder in which it lies, the name of the file itself."""
    about = error.filename
    if about is None or Path(about) == path.parent or _is_temporary(Path(about).name, path):
        error.filename = str(path)
        del error.filename2  # where os.replace moves to; None would be printed


def _is_temporary(name: str, path: Path) -> bool:
    return re.fullmatch(re.escape(path.name) + _RANDOM, name) is not None
