"""The memory that Linux's control groups leave to this process.

A process is in one group of a hierarchy. The limit of each group above it holds too, because a group counts the
memory of the groups inside it. Version 1 has a hierarchy for memory alone, version 2 one for everything; a machine
may have both. Documented in the kernel's admin-guide/cgroup-v1/memory.rst and admin-guide/cgroup-v2.rst.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple


class GroupFiles(NamedTuple):
    """Names of a group's files in one version: its limits, what it uses, and the page cache that is given back."""

    limits: tuple[str, ...]
    used: str
    droppable: str


# The page cache of files that are not in use counts as used, but the kernel drops it before it refuses memory.
# A group beyond memory.high is slowed until it hardly runs.
_V1 = GroupFiles(("memory.limit_in_bytes",), "memory.usage_in_bytes", "total_inactive_file")
_V2 = GroupFiles(("memory.max", "memory.high"), "memory.current", "inactive_file")


class Mount(NamedTuple):
    """A mounted hierarchy: the folder, the group that this folder is, and the files that groups have."""

    folder: Path
    root: PurePosixPath
    files: GroupFiles


def free_in_groups(proc: Path = Path("/proc/self")) -> list[tuple[int, Path]]:
    """Return what each limited group of this process leaves free, in bytes, and the group's folder.

    Args:
        proc: a process's folder, of which ``cgroup`` and ``mountinfo`` are read. Files that are absent or say
            something else mean no limit.
    """
    try:
        own = _own_groups((proc / "cgroup").read_text())
        mounts = _mounts((proc / "mountinfo").read_text())
    except (OSError, UnicodeDecodeError):
        return []
    found = []
    for mount in mounts:
        for group in _up_to_the_mount(mount, own.get(mount.files)):
            free = _free_in(group, mount.files)
            if free is not None:
                found.append((free, group))
    return found


def _own_groups(text: str) -> dict[GroupFiles, PurePosixPath]:
    """Read /proc/PID/cgroup: ``4:memory:/a/b`` in version 1, ``0::/a/b`` in version 2."""
    groups = {}
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            groups[_V2] = PurePosixPath(path)
        elif "memory" in controllers.split(","):
            groups[_V1] = PurePosixPath(path)
    return groups


def _mounts(text: str) -> Iterator[Mount]:
    """Read /proc/PID/mountinfo: ``35 31 0:32 ROOT FOLDER rw shared:1 - TYPE source OPTIONS``."""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        where, kind = before.split(" "), after.split(" ")
        if len(where) < 6 or len(kind) < 3:
            continue
        root, folder = (_unescaped(part) for part in where[3:5])
        if kind[0] == "cgroup2":
            yield Mount(Path(folder), PurePosixPath(root), _V2)
        elif kind[0] == "cgroup" and "memory" in kind[2].split(","):
            yield Mount(Path(folder), PurePosixPath(root), _V1)


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


def _free_in(group: Path, files: GroupFiles) -> int | None:
    """Return what a group leaves free; None if it has no limit."""
    limits = [limit for limit in map(_number_in, (group / name for name in files.limits)) if limit is not None]
    used = _number_in(group / files.used)
    if not limits or used is None:
        return None
    return max(0, min(limits) - max(0, used - _droppable(group / "memory.stat", files.droppable)))


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
