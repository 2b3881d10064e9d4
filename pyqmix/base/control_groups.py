"""The memory and the processor time that Linux's control groups leave to this process.

A process is in one group of a hierarchy. The limit of each group above it holds too, because a group counts what
the groups inside it use. Version 1 has a hierarchy for each controller, such as memory or cpu, version 2 one for
everything; a machine may have both. Documented in the kernel's admin-guide/cgroup-v1/memory.rst,
scheduler/sched-bwc.rst and admin-guide/cgroup-v2.rst.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

_PROC = Path("/proc/self")


class MemoryFiles(NamedTuple):
    """Names of a group's files: its limits, what it uses, and the page cache that is given back."""

    limits: tuple[str, ...]
    used: str
    droppable: str


# By version. The page cache of files that are not in use counts as used, but the kernel drops it before it refuses
# memory. A group beyond memory.high is slowed until it hardly runs.
_MEMORY = {
    1: MemoryFiles(("memory.limit_in_bytes",), "memory.usage_in_bytes", "total_inactive_file"),
    2: MemoryFiles(("memory.max", "memory.high"), "memory.current", "inactive_file"),
}


class Group(NamedTuple):
    """A group of this process: its folder, and the version of its hierarchy."""

    folder: Path
    version: int


class Mount(NamedTuple):
    """A mounted hierarchy: the folder, the group that this folder is, and the version."""

    folder: Path
    root: PurePosixPath
    version: int


def free_in_groups(proc: Path = _PROC) -> list[tuple[int, Path]]:
    """Return what each limited group of this process leaves free, in bytes, and the group's folder.

    Args:
        proc: a process's folder, of which ``cgroup`` and ``mountinfo`` are read. Files that are absent or say
            something else mean no limit.
    """
    found = ((_free_in(group), group.folder) for group in _groups("memory", proc))
    return [(free, folder) for free, folder in found if free is not None]


def cores_in_groups(proc: Path = _PROC) -> list[float]:
    """Return how many cores' time each limited group of this process may use, as 1.5.

    Args:
        proc: as of :func:`free_in_groups`.
    """
    found = (_cores_in(group) for group in _groups("cpu", proc))
    return [cores for cores in found if cores is not None]


def _groups(controller: str, proc: Path) -> Iterator[Group]:
    """Return the groups of a process, and all above them, that may limit what a controller gives."""
    try:
        own = _own_groups((proc / "cgroup").read_text(), controller)
        mounts = list(_mounts((proc / "mountinfo").read_text(), controller))
    except (OSError, UnicodeDecodeError):
        return
    for mount in mounts:
        for folder in _up_to_the_mount(mount, own.get(mount.version)):
            yield Group(folder, mount.version)


def _own_groups(text: str, controller: str) -> dict[int, PurePosixPath]:
    """Read /proc/PID/cgroup: ``4:memory:/a/b`` in version 1, ``0::/a/b`` in version 2."""
    groups = {}
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            groups[2] = PurePosixPath(path)
        elif controller in controllers.split(","):
            groups[1] = PurePosixPath(path)
    return groups


def _mounts(text: str, controller: str) -> Iterator[Mount]:
    """Read /proc/PID/mountinfo: ``35 31 0:32 ROOT FOLDER rw shared:1 - TYPE source OPTIONS``."""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        where, kind = before.split(" "), after.split(" ")
        if len(where) < 6 or len(kind) < 3:
            continue
        root, folder = (_unescaped(part) for part in where[3:5])
        if kind[0] == "cgroup2":
            yield Mount(Path(folder), PurePosixPath(root), 2)
        elif kind[0] == "cgroup" and controller in kind[2].split(","):
            yield Mount(Path(folder), PurePosixPath(root), 1)


def _unescaped(part: str) -> str:
    """Put back the spaces and backslashes, which stand as three octal digits."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), part)


def _up_to_the_mount(mount: Mount, own: PurePosixPath | None) -> Iterator[Path]:
    """Return the folders of a process's group and of all groups above it that the mount shows.

    Where its group does not lie below the mount, as a container may see it, the mount's own group limits it.
    """
    below = own.relative_to(mount.root).parts if own is not None and own.is_relative_to(mount.root) else ()
    if ".." in below:
        below = ()
    for count in range(len(below), -1, -1):
        yield mount.folder.joinpath(*below[:count])


def _free_in(group: Group) -> int | None:
    """Return what a group leaves free; None if it has no limit."""
    folder, files = group.folder, _MEMORY[group.version]
    limits = [limit for limit in map(_number_in, (folder / name for name in files.limits)) if limit is not None]
    used = _number_in(folder / files.used)
    if not limits or used is None:
        return None
    return max(0, min(limits) - max(0, used - _droppable(folder / "memory.stat", files.droppable)))


def _cores_in(group: Group) -> float | None:
    """Return how many cores' time a group may use; None if it has no limit."""
    if group.version == 1:
        quota = _number_in(group.folder / "cpu.cfs_quota_us")
        period = _number_in(group.folder / "cpu.cfs_period_us")
    else:  # "150000 100000", or "max 100000"
        quota, period = _numbers_in(group.folder / "cpu.max")
    return quota / period if quota and period and quota > 0 and period > 0 else None


def _numbers_in(file: Path) -> tuple[int | None, int | None]:
    try:
        first, second = map(int, file.read_text().split())
    except (OSError, ValueError):
        return None, None
    return first, second


def _number_in(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # no such file, or "max"
        return None


def _droppable(stat: Path, name: str) -> int:
    try:
        lines = stat.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return 0
    return next((int(number) for key, _, number in (x.partition(" ") for x in lines) if key == name), 0)
