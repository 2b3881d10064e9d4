"""Streams and events with which PyTorch captures a CUDA graph and feeds it."""

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
        self._uploads, self._side, self._forked = (torch.cuda.Stream(device) for _ in range(3))
        self._uploaded, self._taken_over = torch.cuda.Event(), torch.cuda.Event()
        self._landings: dict[Tensor, Tensor] = {}  # of each target, from where it is copied there

    def upload(self, copies: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Copy each first tensor to the second, which stays on the device, while the device works on.

        Waits until the copies of the call before are complete, as they long are: their sources may be written
        again.
        """
        self.wait_for_uploads()
        current = torch.cuda.current_stream(self._device)
        landed: list[tuple[Tensor, Tensor]] = []
        with torch.cuda.stream(self._uploads):
            self._uploads.wait_event(self._taken_over)  # of where the last ones landed
            for source, target in copies:
                if source.is_cuda:
                    landed.append((source, target))
                    continue
                landing = self._landing(target)
                landing.copy_(source, non_blocking=True)
                landed.append((landing, target))
            self._uploaded.record(self._uploads)
        current.wait_event(self._uploaded)
        for landing, target in landed:
            target.copy_(landing)
        self._taken_over.record(current)

    def wait_for_uploads(self) -> None:
        """Wait until the last upload has read its sources."""
        self._uploaded.synchronize()

    def _landing(self, target: Tensor) -> Tensor:
        if target not in self._landings:
            self._landings[target] = torch.empty_like(target)
        return self._landings[target]

    def aside(self, function: Callable[[], T]) -> T:
        """Call a function on the stream on which it will be captured, as PyTorch asks for before a capture."""
        current = torch.cuda.current_stream(self._device)
        self._side.wait_stream(current)
        with torch.cuda.stream(self._side), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*capturable=True.*without CUDA graph capture")
            result = function()
        current.wait_stream(self._side)
        return result

    def fork(self, function: Callable[[], T]) -> Callable[[], T]:
        """Call a function on another stream, so that its kernels run at the same time as the current stream's.

        Returns:
            The join: it gives the function's result, and lets the current stream wait for it.
        """
        self._forked.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._forked):
            result = function()

        def join() -> T:
            torch.cuda.current_stream(self._device).wait_stream(self._forked)
            return result

        return join

    def capture(self, function: Callable[[], T]) -> tuple[Callable[[], None], T]:
        """Record a function's kernels, without running them.

        Returns:
            A function that runs it on the current stream, and the tensors where its result will lie.
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
