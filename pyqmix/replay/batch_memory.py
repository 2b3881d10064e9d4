"""The memory that batches are sampled into."""

from __future__ import annotations

from collections import deque

import torch

from pyqmix.base.free_memory import MiB, free_memory
from pyqmix.base.spec import EpisodeSpec
from pyqmix.replay.batch import EpisodeBatch
from pyqmix.replay.device_store import store_bytes
from pyqmix.replay.memory import LOWER


class BatchMemory:
    """Memory of batches on the CPU, for :meth:`pyqmix.replay.EpisodeSampler.sample` to write into.

    It has room for the longest episode drawn so far, because a step limit may lie far above the length of any
    episode. It grows to at least twice the steps, so that few batches allocate. For a GPU it is page-locked, and
    allocated once with room for the limit; and there are two, because one is still being copied while the other is
    filled.

    Args:
        spec: the episodes' sizes.
        batch_size: B.
        device: where the batches are learned from.

    Raises:
        MemoryError: page-locked memory does not fit in the memory that is free.
    """

    def __init__(self, spec: EpisodeSpec, batch_size: int, device: torch.device) -> None:
        self._spec, self._batch_size = spec, batch_size
        self._steps = 0
        self._batches: deque[EpisodeBatch] = deque()
        if device.type == "cuda":
            _require_page_locked(spec, batch_size)
            self._steps = spec.episode_limit
            self._batches.extend(EpisodeBatch.empty(spec, batch_size, pin_memory=True) for _ in range(2))

    def __call__(self, steps: int) -> EpisodeBatch:
        """Return memory for a batch whose longest episode has ``steps``; an earlier batch may lie there."""
        if steps > self._steps:
            room = min(max(steps, 2 * self._steps), self._spec.episode_limit)
            self._batches.clear()  # so that both need not fit at once
            self._batches.append(EpisodeBatch.empty(self._spec, self._batch_size, room))
            self._steps = room
        self._batches.rotate()
        return self._batches[0]


def batch_notes(spec: EpisodeSpec, batch_size: int) -> list[str]:
    """Say that a batch of the longest possible episodes does not fit next to the ring, which has its memory.

    Args:
        spec: the episodes' sizes.
        batch_size: B.

    Returns:
        One sentence, or none.
    """
    free = free_memory()
    if store_bytes(spec, batch_size) <= free.size:
        return []
    return [
        f"{_arithmetic(spec, batch_size)}, but {free} next to the replay buffer: training fails if episodes get "
        f"that long; lower batch_size, {LOWER}"
    ]


def _require_page_locked(spec: EpisodeSpec, batch_size: int) -> None:
    free = free_memory()
    if 2 * store_bytes(spec, batch_size) > free.size:
        needs = f"{_arithmetic(spec, batch_size)}, and training on a GPU needs two"
        raise MemoryError(f"{needs}, but {free}; lower batch_size, {LOWER}")


def _arithmetic(spec: EpisodeSpec, batch_size: int) -> str:
    needed = store_bytes(spec, batch_size)
    return (
        f"batches: {batch_size:,} episodes x {needed // batch_size:,} bytes = {needed / MiB:,.1f} MiB "
        f"({spec.episode_limit:,} steps, the limit)"
    )
