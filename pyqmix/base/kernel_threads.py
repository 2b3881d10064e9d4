"""How many threads pyqmix's kernels take on the CPU: as many as torch, or a number that the calling code chose.

No result of a kernel depends on the number. Some of torch's do: sums and products of large tensors are cut into as
many parts as there are threads. So a run can leave torch one thread, and its kernels several.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

_chosen: ContextVar[int | None] = ContextVar("threads of pyqmix's kernels", default=None)


def kernel_threads() -> int:
    """Return the number for kernels that the calling thread launches now."""
    chosen = _chosen.get()
    return torch.get_num_threads() if chosen is None else chosen


@contextmanager
def kernel_threads_of(count: int) -> Iterator[None]:
    """Choose the number for the code inside, of the calling thread (or asyncio task) alone."""
    token = _chosen.set(count)
    try:
        yield
    finally:
        _chosen.reset(token)


def set_kernel_threads(count: int) -> None:
    """Choose another number until the surrounding :func:`kernel_threads_of` ends."""
    _chosen.set(count)
