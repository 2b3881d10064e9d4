"""The lock of a run's folder: one program at a time writes it.

The kernel drops the lock when the program ends, however it ends. It is a POSIX record lock, which works on network
file systems too and is not inherited by the processes that an environment forks. It does not exclude a second run
in the same process; the set of this process's locks does.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

from pyqmix.base.errors import ConfigError

FILE = "run.lock"
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_HELD_BY_ANOTHER = (errno.EACCES, errno.EAGAIN)
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
_held_here: set[tuple[int, int]] = set()


class RunLock:
    """Holds the lock of a run's folder from its making until :meth:`release`.

    Attributes:
        works: whether the file system has locks; without them nothing protects the folder.

    Args:
        folder: the run's, which exists.

    Raises:
        ConfigError: another run holds it, or its file cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._path, self.works = folder / FILE, True
        self._descriptor, self._inode = -1, (-1, -1)
        while True:
            self._take(folder)
            if self.is_in_place:
                break
            self.release()  # its holder removed the file after this one had opened it
        _held_here.add(self._inode)
        with suppress(OSError):  # a full disk, which is told when something else cannot be written
            os.ftruncate(self._descriptor, 0)
            holder = {"pid": os.getpid(), "host": socket.gethostname()}
            os.pwrite(self._descriptor, json.dumps(holder).encode(), 0)

    def release(self) -> None:
        """Give the lock back and remove its file."""
        if self._descriptor < 0:
            return
        if self.is_in_place:
            with suppress(OSError):
                self._path.unlink()
        _held_here.discard(self._inode)
        os.close(self._descriptor)
        self._descriptor = -1

    def _take(self, folder: Path) -> None:
        # Closing any descriptor of the file would drop this process's lock, so it is not even opened twice.
        if _inode_of(self._path) in _held_here:
            raise ConfigError(f"run_dir: another run of this process is writing {folder}")
        try:
            self._descriptor = os.open(self._path, _FLAGS, 0o644)
        except OSError as error:
            raise ConfigError(f"run_dir: cannot lock {self._path}: {error.strerror}") from error
        status = os.fstat(self._descriptor)
        self._inode = status.st_dev, status.st_ino
        if not stat.S_ISREG(status.st_mode):
            os.close(self._descriptor)
            raise ConfigError(f"run_dir: cannot lock {self._path}: expected a regular file")
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _NO_LOCKS:
                self.works = False
                return
            holder = _holder(self._descriptor)
            os.close(self._descriptor)
            if error.errno not in _HELD_BY_ANOTHER:
                raise ConfigError(f"run_dir: cannot lock {self._path}: {error.strerror}") from error
            raise ConfigError(f"run_dir: another program is writing {folder}: {holder}") from None

    @property
    def is_in_place(self) -> bool:
        """Whether the lock's file still lies in the folder's place."""
        return _inode_of(self._path) == self._inode


def _inode_of(path: Path) -> tuple[int, int] | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _holder(descriptor: int) -> str:
    try:
        told = json.loads(os.pread(descriptor, 1_000, 0))
        return f"process {int(told['pid'])} on {str(told['host'])[:100]!r}"
    except (OSError, ValueError, KeyError, TypeError):
        return "its process is not known yet"
