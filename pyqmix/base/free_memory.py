"""How much memory this process can still have."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import NamedTuple

from pyqmix.base.control_groups import free_in_groups

MiB = 1 << 20


class Free(NamedTuple):
    """Free memory.

    Attributes:
        size: in bytes.
        where: which limit it is of, as words behind "free"; empty for the machine itself.
    """

    size: int
    where: str = ""

    def __str__(self) -> str:
        return f"{self.size / MiB:,.1f} MiB are free{self.where}"


def free_memory() -> Free:
    """Return the least of what the machine, this process's control groups and its address space leave.

    Raises:
        MemoryError: the machine does not tell.
    """
    groups = [Free(size, f" in the control group {group}") for size, group in free_in_groups()]
    return min([_of_the_machine(), *groups, *_of_the_address_space()])  # a list, as it may have one alone


def _of_the_machine() -> Free:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return Free(int(line.split()[1]) * 1024)
    raise MemoryError("/proc/meminfo does not tell how much memory is free")


def _of_the_address_space() -> list[Free]:
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return []
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    used = pages * os.sysconf("SC_PAGE_SIZE")
    return [Free(max(0, limit - used), " under the limit of the address space (ulimit -v)")]
