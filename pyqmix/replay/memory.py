"""How much memory a ring takes, before it is made."""

from __future__ import annotations

from pyqmix import _C
from pyqmix.base.free_memory import MiB, free_memory
from pyqmix.base.spec import EpisodeSpec, native_spec

LOWER = "buffer_size, or episode_limit where the environment has it"


def ring_bytes(spec: EpisodeSpec, capacity: int) -> int:
    """Return the bytes that a ring takes, before it is made.

    Raises:
        OverflowError: an episode is larger than what can be counted.
    """
    rest, one = (_C.ring_bytes(native_spec(spec), slots) for slots in (0, 1))
    return rest + capacity * (one - rest)  # which exceeds every native integer if it must


def describe_memory(spec: EpisodeSpec, capacity: int) -> str:
    """Write a ring's size with its arithmetic.

    Raises:
        MemoryError: an episode is larger than what can be counted.
    """
    what = f"{spec.episode_limit} steps, {spec.n_agents} agents, {_stored(spec)}"
    try:
        slot = ring_bytes(spec, 1) - ring_bytes(spec, 0)
    except OverflowError:
        raise MemoryError(
            f"replay buffer: an episode ({what}) exceeds what memory can hold; lower {LOWER}"
        ) from None
    return f"replay buffer: {capacity:,} episodes x {slot:,} bytes = {capacity * slot / MiB:,.1f} MiB ({what})"


def _stored(spec: EpisodeSpec) -> str:
    if spec.snapshot is not None:
        return f"snapshots of {native_spec(spec).snapshot_bytes} bytes"
    return f"observations of {spec.obs_dim} {spec.obs_storage}"


def require_free_memory(spec: EpisodeSpec, capacity: int) -> None:
    """Refuse a ring that is larger than what is free.

    Raises:
        MemoryError: the arithmetic is in the message.
    """
    described, free = describe_memory(spec, capacity), free_memory()
    if ring_bytes(spec, capacity) > free.size:
        raise MemoryError(f"{described}, but {free}; lower {LOWER}")
