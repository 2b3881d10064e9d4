"""What PyTorch needs of streams and events to capture a CUDA graph and to feed it."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


class CudaGraphs:
    """Captures functions on a GPU, and copies their inputs on a stream of its own.

    Used from one thread. Everything is ordered behind the work of the device's current stream.

    Args:
        device: the GPU.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._uploads, self._side = torch.cuda.Stream(device), torch.cuda.Stream(device)
        self._uploaded: torch.cuda.Event | None = None

    def upload(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Copy tensors to the device while it works on; those that lie there already are returned as they are.

        Waits until the copies of the call before are complete, as they long are: their sources may be written
        again.
        """
        if self._uploaded is not None:
            self._uploaded.synchronize()
        current = torch.cuda.current_stream(self._device)
        with torch.cuda.stream(self._uploads):
            moved = [x if x.is_cuda else x.to(self._device, non_blocking=True) for x in tensors]
            self._uploaded = torch.cuda.Event()
            self._uploaded.record(self._uploads)
        current.wait_event(self._uploaded)
        for tensor in moved:
            tensor.record_stream(current)
        return moved

    def aside(self, function: Callable[[], T]) -> T:
        """Call a function on the stream on which it will be captured, as PyTorch asks for before a capture."""
        current = torch.cuda.current_stream(self._device)
        self._side.wait_stream(current)
        with torch.cuda.stream(self._side), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*capturable=True.*without CUDA graph capture")
            result = function()
        current.wait_stream(self._side)
        return result

    def capture(self, function: Callable[[], T]) -> tuple[Callable[[], None], T]:
        """Record what a function launches, without running it.

        Returns:
            What runs it on the current stream, and where its result will lie.
        """
        graph = torch.cuda.CUDAGraph()
        # On the stream of the calls before, whose workspaces belong to no graph.
        on_side = torch.cuda.graph(graph, stream=self._side)
        with torch.cuda.device(self._device), _no_garbage_collection(), on_side:
            result = function()
        return graph.replay, result


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Collect garbage now and not meanwhile: another graph that is destroyed in a capture makes it invalid."""
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
