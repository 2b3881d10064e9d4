"""Which implementation runs: the compiled one, or its slow twin in PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

from pyqmix.base.backends import BACKENDS

_backend: ContextVar[str] = ContextVar("pyqmix backend", default="fused")


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Choose the implementation for the code inside, of the calling thread (or asyncio task) alone.

    Inside ``reference`` the modules of :mod:`pyqmix.nn` are composed of linear layers, ``torch.nn.GRU`` and
    :mod:`pyqmix.ops.reference`, and what of :mod:`pyqmix.ops` runs on a GPU too, but Adam, is the latter's. A
    backward follows its forward, wherever it is called. The operations that modules leave aside there
    (``ops.gru``, ``ops.qmixer`` and its kin) stay what they are for those who call them by name, and so does
    everything in code that ``torch.compile`` traces.

    Args:
        name: ``fused`` or ``reference``.

    Raises:
        ValueError: the name is neither.
    """
    if name not in BACKENDS:
        raise ValueError(f"name: expected one of {', '.join(BACKENDS)}, got {name!r}")
    token = _backend.set(name)
    try:
        yield
    finally:
        _backend.reset(token)


def wants_reference() -> bool:
    """Whether the calling code runs inside :func:`use_backend` of ``reference``."""
    return not torch.compiler.is_compiling() and _backend.get() == "reference"
