"""Whatever a run uses up, one line says it, and names the options to lower."""

import errno
import threading

import numpy as np
import pytest
import torch

from pyqmix.base.errors import ConfigError, EnvError, ResourceError
from pyqmix.base.exhaustion import naming_exhaustion, require_threads

HUGE = 2**60  # bytes
ALLOCATIONS = {
    "torch": lambda: torch.empty(HUGE, dtype=torch.uint8),
    "numpy": lambda: np.empty(HUGE, np.uint8),
    "Python": lambda: bytearray(2**62),
}
SAID = {
    "a GPU": torch.OutOfMemoryError(
        "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of"
    ),
    "cuBLAS": RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    "the extension": MemoryError("std::bad_alloc"),
    "mmap": OSError(errno.ENOMEM, "Cannot allocate memory"),
    "a worker": RuntimeError(
        "a worker failed: RuntimeError: DefaultCPUAllocator: can't allocate memory: you tried"
    ),
}
NOT_STARTED = {
    "a thread": RuntimeError("can't start new thread"),
    "a thread of the extension": RuntimeError("Resource temporarily unavailable"),
    "a process": BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"),
    "a worker": EOFError("unexpected EOF"),
}
OTHERS = [
    RuntimeError("something else"),
    OSError(errno.ENOENT, "No such file or directory", "can't allocate memory"),
    EOFError("Ran out of input"),
    MemoryError("replay buffer: 5 episodes x 320 bytes = 1 MiB, but 0 MiB are free"),
    ConfigError("threads: out of memory"),
    EnvError("environment x: step raised MemoryError: out of memory"),
]


def raise_named(error):
    with naming_exhaustion():
        raise error


@pytest.mark.parametrize("allocate", ALLOCATIONS.values(), ids=ALLOCATIONS)
def test_an_allocation_that_fails_is_named(allocate):
    with (
        pytest.raises(MemoryError, match=r"^out of memory.*; lower batch_size, .*$") as caught,
        naming_exhaustion(),
    ):
        allocate()
    assert type(caught.value) is MemoryError
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("error", SAID.values(), ids=SAID)
def test_memory_is_named_whoever_says_it(error):
    with pytest.raises(MemoryError, match=r"^out of memory.*; lower batch_size, "):
        raise_named(error)


def test_the_amount_and_the_device_are_named():
    with pytest.raises(
        MemoryError, match=r"^out of memory of the GPU: 20.00 MiB more could not be allocated; lower"
    ):
        raise_named(SAID["a GPU"])


@pytest.mark.parametrize("error", NOT_STARTED.values(), ids=NOT_STARTED)
def test_threads_and_processes_are_named(error):
    with pytest.raises(ResourceError, match=r"^the system starts no further thread or process .*: lower threads"):
        raise_named(error)


@pytest.mark.parametrize("error", OTHERS, ids=str)
def test_other_errors_stay_as_they_are(error):
    with pytest.raises(type(error)) as caught:
        raise_named(error)
    assert caught.value is error


def test_threads_are_tried_at_once_and_end(monkeypatch):
    start, before, most = threading.Thread.start, threading.active_count(), []

    def counted(thread):
        if len(most) == 7:
            raise RuntimeError("can't start new thread")
        start(thread)
        most.append(threading.active_count() - before)

    monkeypatch.setattr(threading.Thread, "start", counted)
    require_threads(0)
    require_threads(7)
    assert most == [1, 2, 3, 4, 5, 6, 7]
    with pytest.raises(RuntimeError, match="can't start new thread"):
        require_threads(3)
    assert threading.active_count() == before
