"""What PyTorch needs of streams and events to capture a CUDA graph and to feed it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


class CudaGraphs:
    """Captures functions, and copies their inputs on a stream of its own.

    Used from one thread. Everything is ordered behind the current stream's work.
    """

    def __init__(self) -> None:
        self._uploads: torch.cuda.Stream | None = None
        self._uploaded: torch.cuda.Event | None = None

    def upload(self, tensors: Sequence[Tensor], device: torch.device) -> list[Tensor]:
        """Copy tensors to a device while it works on; those that lie there already are returned as they are.

        Waits until the copies of the call before are complete, as they long are: their sources may be written
        again.
        """
        if self._uploads is None:
            self._uploads = torch.cuda.Stream(device)
        if self._uploaded is not None:
            self._uploaded.synchronize()
        current = torch.cuda.current_stream(device)
        with torch.cuda.stream(self._uploads):
            moved = [x if x.is_cuda else x.to(device, non_blocking=True) for x in tensors]
            self._uploaded = torch.cuda.Event()
            self._uploaded.record(self._uploads)
        current.wait_event(self._uploaded)
        for tensor in moved:
            tensor.record_stream(current)
        return moved

    def aside(self, function: Callable[[], T]) -> T:
        """Call a function on another stream, as PyTorch asks for before a capture."""
        current, stream = torch.cuda.current_stream(), torch.cuda.Stream()
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            result = function()
        current.wait_stream(stream)
        return result

    def capture(self, function: Callable[[], T]) -> tuple[Callable[[], None], T]:
        """Record what a function launches, without running it.

        Returns:
            What runs it on the current stream, and where its result will lie.
        """
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = function()
        return graph.replay, result
