"""The lock of a run's folder: one program at a time writes it.

The kernel drops the lock when the program ends, however it ends. It is a lock of an open file description (Linux's
``F_OFD_SETLK``), because a POSIX record lock ends when any code of the process opens and closes the file, for
example to copy the folder, and does not exclude a second run in the same process. It works on network file systems
too. ``flock`` takes its place where the kernel has no such locks.

Forked processes inherit an open file description. Those that Python forks close it at once. A process that C code
forks holds the lock until it ends or executes a program.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import stat
import struct
import threading
from contextlib import suppress
from pathlib import Path

from pyqmix.base.errors import ConfigError
from pyqmix.base.files import MODE

FILE = "run.lock"
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_TO_LOOK = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_WHOLE_FILE = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)  # struct flock
_HELD_BY_ANOTHER = (errno.EACCES, errno.EAGAIN)
_NO_LOCKS = (errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
_forking = threading.RLock()  # held by a fork, and while descriptors and _open change together
_open: set[RunLock] = set()


class LockedError(ConfigError):
    """Another run holds the lock."""


class RunLock:
    """Holds the lock of a run's folder from its making until :meth:`release`.

    Attributes:
        works: whether the file system has locks; without them nothing protects the folder.

    Args:
        folder: the run's, which exists.

    Raises:
        LockedError: another run holds it, of this or another process.
        ConfigError: its file cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._path, self.works = folder, True
        self._descriptor, self._folder = -1, -1
        with _forking:
            try:  # the descriptor keeps the inode's number from being given to another folder
                self._folder = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            except OSError as error:
                raise ConfigError(f"run_dir: cannot lock {folder}: {error.strerror}") from error
            _open.add(self)
        try:
            self._take()
        except BaseException:
            self._close()
            raise

    def release(self) -> None:
        """Give the lock back and remove its file."""
        if self._has_its_file():
            with suppress(OSError):
                os.unlink(FILE, dir_fd=self._folder)
        self._close()

    def holds(self) -> bool:
        """Tell whether the folder is still in its place and locked.

        The file of the lock is made and locked again where somebody has removed only that file.
        """
        if not self._is_in_place():
            return False
        if not self._has_its_file():
            try:
                self._take()
            except LockedError:
                return False
            except ConfigError:
                pass  # nobody else can lock the folder either, and the next write there tells the error
        return True

    def _take(self) -> None:
        try:
            while not self._has_its_file():  # a holder may remove the file after this one has opened it
                self._open_file()
                self.works = self._lock()
        except BaseException:
            with _forking:
                self._close_file()  # which may be another run's
            raise
        with suppress(OSError):  # a full disk, which is told when something else cannot be written
            os.ftruncate(self._descriptor, 0)
            holder = {"pid": os.getpid(), "host": socket.gethostname()}
            os.pwrite(self._descriptor, json.dumps(holder).encode(), 0)

    def _open_file(self) -> None:
        with _forking:
            self._close_file()
            try:
                self._descriptor = os.open(FILE, _FLAGS, MODE, dir_fd=self._folder)
            except OSError as error:
                raise self._unusable(error.strerror) from error
        if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            raise self._unusable("expected a regular file")

    def _lock(self) -> bool:
        """Lock the open file; return whether the file system has locks."""
        try:
            return lock(self._descriptor)
        except OSError as error:
            holder = _holder(self._descriptor)
            if error.errno not in _HELD_BY_ANOTHER:
                raise self._unusable(error.strerror) from error
        raise LockedError(
            f"run_dir: another run of this process is writing {self._path}"
            if holder == (os.getpid(), socket.gethostname())
            else f"run_dir: another program is writing {self._path}: {_describe(holder)}"
        )

    def _unusable(self, reason: str | None) -> ConfigError:
        return ConfigError(f"run_dir: cannot lock {self._path / FILE}: {reason}")

    def _is_in_place(self) -> bool:
        try:
            return self._folder >= 0 and os.path.samestat(os.stat(self._path), os.fstat(self._folder))
        except OSError:
            return False

    def _has_its_file(self) -> bool:
        if self._descriptor < 0:
            return False
        try:
            found = os.stat(FILE, dir_fd=self._folder, follow_symlinks=False)
        except OSError:
            return False
        return os.path.samestat(found, os.fstat(self._descriptor))

    def _close(self) -> None:
        with _forking:
            _open.discard(self)
            self._close_file()
            if self._folder >= 0:
                os.close(self._folder)
                self._folder = -1

    def _close_file(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def is_held(folder: Path) -> bool:
    """Tell whether a program holds the lock of a run's folder, without taking it (``F_OFD_GETLK``).

    Where the file system has no such locks, whether the process that the lock's file names exists on this host.
    """
    try:
        descriptor = os.open(folder / FILE, _TO_LOOK)
    except OSError:
        return False
    try:
        found = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _WHOLE_FILE)
        return bool(struct.unpack_from("h", found)[0] != fcntl.F_UNLCK)
    except OSError:
        return _exists(_holder(descriptor))
    finally:
        os.close(descriptor)


def holder_here(folder: Path) -> int | None:
    """Return the process on this host that holds the lock of a run's folder; None where there is none."""
    if not is_held(folder):
        return None
    try:
        descriptor = os.open(folder / FILE, _TO_LOOK)
    except OSError:
        return None
    try:
        holder = _holder(descriptor)
    finally:
        os.close(descriptor)
    return holder[0] if holder is not None and holder[1] == socket.gethostname() else None


def lock(descriptor: int) -> bool:
    """Lock a file for its open file description; return whether its file system has locks.

    Raises:
        OSError: another one holds it (EACCES, EAGAIN), or it cannot be locked.
    """
    for attempt in (_lock_description, _flock):
        try:
            attempt(descriptor)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        else:
            return True
    return False


def _lock_description(descriptor: int) -> None:
    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _WHOLE_FILE)


def _flock(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _holder(descriptor: int) -> tuple[int, str] | None:
    """Read the process that holds the lock, and its host; None before they are written.

    The file may come from anyone, and 0 and numbers below it are groups of processes for ``os.kill``.
    """
    try:
        told = json.loads(os.pread(descriptor, 1_000, 0))
        process, host = int(told["pid"]), str(told["host"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
    return (process, host) if 0 < process < 1 << 31 else None


def _exists(holder: tuple[int, str] | None) -> bool:
    if holder is None or holder[1] != socket.gethostname():
        return False
    try:
        os.kill(holder[0], 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _describe(holder: tuple[int, str] | None) -> str:
    return "its process is not known yet" if holder is None else f"process {holder[0]} on {holder[1][:100]!r}"


def _close_in_child() -> None:
    for held in tuple(_open):
        held._close()
    _forking.release()


os.register_at_fork(before=_forking.acquire, after_in_parent=_forking.release, after_in_child=_close_in_child)
