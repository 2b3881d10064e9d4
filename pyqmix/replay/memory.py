"""How much memory a ring takes, and how much is free."""

from __future__ import annotations

import sys
from pathlib import Path

from pyqmix import _C
from pyqmix.base.spec import EpisodeSpec, native_spec

MiB = 1 << 20


def ring_bytes(spec: EpisodeSpec, capacity: int) -> int:
    """Return the bytes that a ring takes, before it is made."""
    return _C.ring_bytes(native_spec(spec), capacity)


def describe_memory(spec: EpisodeSpec, capacity: int) -> str:
    """Write a ring's size with its arithmetic."""
    slot = ring_bytes(spec, 1) - ring_bytes(spec, 0)
    return (
        f"replay buffer: {capacity:,} episodes x {slot:,} bytes = {capacity * slot / MiB:,.1f} MiB "
        f"({spec.episode_limit} steps, {spec.n_agents} agents, observations of {spec.obs_dim} {spec.obs_storage})"
    )


def require_free_memory(spec: EpisodeSpec, capacity: int) -> None:
    """Refuse a ring that is larger than what is free.

    Raises:
        MemoryError: the arithmetic is in the message.
    """
    free = free_memory()
    if ring_bytes(spec, capacity) > free:
        raise MemoryError(describe_memory(spec, capacity) + f", but {free / MiB:,.1f} MiB are free")


def free_memory() -> int:
    """Return the free memory in bytes, of the machine or of this process's control group, whichever is less."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return min(int(line.split()[1]) * 1024, free_in_group(Path("/sys/fs/cgroup")))
    raise MemoryError("/proc/meminfo does not tell how much memory is free")


def free_in_group(group: Path) -> int:
    """Return what a control group leaves free; a very large number if it has no limit."""
    try:
        limit, used = ((group / name).read_text().strip() for name in ("memory.max", "memory.current"))
        return max(0, int(limit) - int(used))
    except (OSError, ValueError):  # no such group, or "max": no limit
        return sys.maxsize
