"""Names in one line what a run has used up: memory, threads or processes.

Torch, Python, numpy and the extension each say it in their own words and by their own types.
"""

from __future__ import annotations

import errno
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pyqmix.base.errors import ConfigError, DivergenceError, EnvError, RankError, ResourceError

_MEMORY = re.compile(r"can't allocate memory|cannot allocate memory|out of memory|bad_alloc|ALLOC_FAILED", re.I)
_STARTS = re.compile(r"can't start new thread|resource temporarily unavailable", re.I)
_AMOUNT = re.compile(r"(?:tried to allocate|unable to allocate) ([\d.,]+ \w+)", re.I)
_NO_WORKER = "unexpected EOF"  # of the server that starts worker processes, which ends where it can start none


@contextmanager
def naming_exhaustion() -> Iterator[None]:
    """Turn errors about memory, threads and processes into those that say what to lower. Also a decorator.

    Raises:
        MemoryError: memory did not suffice, on the CPU or on a GPU.
        ResourceError: no further thread or process can be started.
    """
    try:
        yield
    except (ConfigError, EnvError, DivergenceError, RankError, ResourceError):
        raise
    except (MemoryError, RuntimeError, OSError, EOFError) as error:
        named = _named(error)
        if named is None:
            raise
        raise named from error


def require_threads(count: int) -> None:
    """Require that a number of further threads can run at once: OpenMP ends the process where they cannot.

    Raises:
        RuntimeError: they cannot.
    """
    done = threading.Event()
    started: list[threading.Thread] = []
    try:
        for _ in range(count):
            started.append(threading.Thread(target=done.wait, daemon=True))
            started[-1].start()
    except BaseException:
        started.pop()
        raise
    finally:
        done.set()
        for thread in started:
            thread.join()


def _named(error: Exception) -> Exception | None:
    """Return the error to raise in an error's place; None: it names its reason already, or is of another kind."""
    text = " ".join(str(error).split())
    if type(error) is MemoryError and text and not _MEMORY.search(text):
        return None
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, MemoryError) or number == errno.ENOMEM or (number is None and _MEMORY.search(text)):
        return MemoryError(_memory_message(text))
    no_worker = isinstance(error, EOFError) and text == _NO_WORKER
    if number == errno.EAGAIN or no_worker or (number is None and _STARTS.search(text)):
        reason = "the server of worker processes ended" if no_worker else text
        return ResourceError(
            f"the system starts no further thread or process ({reason}): lower threads, num_workers or num_envs, "
            "or raise the limit (ulimit -u, or pids.max of the control group)"
        )
    return None


def _memory_message(text: str) -> str:
    amount = _AMOUNT.search(text)
    of_gpu = " of the GPU" if "cuda" in text.lower() else ""
    what = f": {amount[1]} more could not be allocated" if amount else ""
    options = "batch_size, hidden_dim, num_envs or buffer_size"
    return f"out of memory{of_gpu}{what}; lower {options}, or episode_limit where the environment has it"
