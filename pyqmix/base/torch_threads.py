"""The number of threads of torch's operations, for one thread of the program alone.

Torch keeps the number for each thread that calls it, and one more, which a thread gets when it first uses torch.
``torch.set_num_threads`` changes both, and this module sets the latter back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

T = TypeVar("T")
_lock = threading.Lock()


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Set the number of threads of torch and of pyqmix's kernels, for calls of this thread inside of the block."""
    before = torch.get_num_threads()
    _set(count)
    try:
        yield
    finally:
        _set(before)


def _set(count: int) -> None:
    if torch.get_num_threads() == count:
        return
    with _lock:
        of_new_threads = _in_a_new_thread(torch.get_num_threads)
        torch.set_num_threads(count)
        _in_a_new_thread(lambda: torch.set_num_threads(of_new_threads))


def _in_a_new_thread(call: Callable[[], T]) -> T:
    results: list[T] = []
    thread = threading.Thread(target=lambda: results.append(call()), name="pyqmix thread count", daemon=True)
    thread.start()
    thread.join()
    return results[0]
