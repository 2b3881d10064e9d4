"""Tells shim.c, which this process must have preloaded, what to do in the next fork, and reads its log."""

import ctypes
import mmap
import os
from functools import cache
from pathlib import Path
from typing import NamedTuple

OFF, LOG, FAIL, SHORT, KILL_BEFORE, KILL_AFTER, KILL_HALFWAY = range(7)


class Control(ctypes.Structure):
    """The struct of the same name in shim.c."""

    _fields_ = (
        *[(name, ctypes.c_int32) for name in ("mode", "error", "onward", "fired")],
        *[("target", ctypes.c_int64), ("count", ctypes.c_int64)],
        *[("root", ctypes.c_char * 1024), ("within", ctypes.c_char * 256), ("log", ctypes.c_char * 1024)],
        ("begun", ctypes.c_int32),
    )


class Call(NamedTuple):
    """A call that the shim logged; paths are relative to the root, and begin with a slash below it."""

    kind: str
    path: str
    path2: str
    inode: int
    offset: int
    data: bytes


class Shim:
    """The control block of this process and of its forks.

    Args:
        folder: is made for the block and the log; not below a root.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.log, block = folder / "calls.log", folder / "control"
        block.write_bytes(bytes(ctypes.sizeof(Control)))
        with block.open("r+b") as file:
            self.control = Control.from_buffer(mmap.mmap(file.fileno(), 0))
        library = ctypes.CDLL(None)
        if not hasattr(library, "fault_control") or library.fault_control(str(block).encode()):
            raise SystemExit("shim.so is not preloaded: start this by tests/faults/run.sh")

    def arm(
        self, mode: int, root: Path, within: str = "", *, target: int = 0, error: int = 0, onward: bool = False
    ) -> None:
        """Begin to count at the first call below ``root`` whose path has the text ``within``."""
        self.log.unlink(missing_ok=True)
        self.control.root, self.control.within = str(root).encode(), within.encode()
        self.control.log = str(self.log).encode()
        self.control.target, self.control.error, self.control.onward = target, error, onward
        self.control.count = self.control.fired = self.control.begun = 0
        self.control.mode = mode

    def disarm(self) -> int:
        """Count no more; return how often the fault fired."""
        self.control.mode = OFF
        return self.control.fired

    def fired_at(self) -> str:
        """Return the kind and the path of the call at which the fault fired, by its proof in the log."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return " ".join(lines[0].split("\t")[1:]) if lines else ""

    def calls(self) -> list[Call]:
        """Read the log of a run with mode LOG."""
        text, calls = self.log.read_bytes(), []
        while text:
            line, _, text = text.partition(b"\n")
            kind, path, path2, inode, offset, size = line.decode().split("\t")
            calls.append(Call(kind, path, path2, int(inode), int(offset), text[: int(size)]))
            text = text[int(size) :]
        return calls


def here(work: Path) -> Shim:
    """Return the shim of this process, which a fork that strikes by itself needs for itself."""
    return _of_process(work, os.getpid())


@cache
def _of_process(work: Path, process: int) -> Shim:
    return Shim(work / f"shim{process}")
