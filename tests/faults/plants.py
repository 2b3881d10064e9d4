"""Faults that a check plants into a trainer to show that it would see them; each is called before main."""

import dataclasses

import pyqmix.base.files
import pyqmix.cli.train
from pyqmix.replay import EpisodeSampler
from pyqmix.run import draft, lock, manifest, metrics, state


def forget_sampler() -> None:
    """Resume without the sampler's place in its random stream."""
    EpisodeSampler.load_state = lambda self, state: None


def forget_due_updates() -> None:
    """Resume without the fraction of a training step that was due."""
    read = state.read_progress
    state.read_progress = lambda found: dataclasses.replace(read(found), due_updates=0.0)


def believe_writes() -> None:
    """Take a short write for a whole one."""
    write = pyqmix.base.files.os.write

    class Believing:
        def __getattr__(self, name: str) -> object:
            return getattr(pyqmix_os, name)

        @staticmethod
        def write(descriptor: int, data: bytes) -> int:
            write(descriptor, data)
            return len(data)

    pyqmix_os = pyqmix.base.files.os
    pyqmix.base.files.os = Believing()


def leave_out_fsync() -> None:
    """Never wait for the disk."""
    for module in (pyqmix.base.files, draft, metrics):
        module.flush = lambda path: None


def leave_out_lock() -> None:
    """Take the lock of a run whoever holds it."""
    lock.lock = lambda descriptor: True


def let_errors_escape() -> None:
    """End with a traceback where a file cannot be written."""
    pyqmix.cli.train.USER_ERRORS = ()


def leave_out_checksums() -> None:
    """Take every checksum for the right one."""
    manifest.hashlib = type("", (), {"sha256": lambda data: type("", (), {"hexdigest": lambda: AnyText()})})
    manifest.Manifest._require_ring = lambda self, name: None


class AnyText(str):
    """Equals every text."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False
