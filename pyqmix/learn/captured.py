"""Training steps as replays of CUDA graphs: launched at once, not operation by operation.

A graph repeats the same operations on the same memory, so every shape of inputs has one of its own. Batches are
padded to a quarter, a half, three quarters or the whole of the episode limit: at most four graphs for each size
of a batch, and short episodes cost less than long ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from pyqmix.base.spec import EpisodeSpec
from pyqmix.learn.cuda_graph import CudaGraphs
from pyqmix.learn.step import StepInputs, UpdateStats
from pyqmix.replay.batch import EpisodeBatch

_WARM_UP = 3  # ordinary steps of a shape, in which libraries and optimizer allocate what they keep
_LENGTHS = 4  # to which episodes are padded, evenly up to the limit


@dataclass
class _Shape:
    """Inputs of one shape, which lie where the graph reads them.

    Attributes:
        inputs: where.
        steps_taken: ordinary ones.
        replay: repeats the captured step.
        stats: what it writes.
    """

    inputs: StepInputs
    steps_taken: int = 0
    replay: Callable[[], None] | None = None
    stats: UpdateStats | None = None


class _Room(NamedTuple):
    """A batch with room for the episode limit, and all of its memory."""

    batch: EpisodeBatch
    memory: Tensor


_Rooms = dict[tuple[int, torch.device, torch.dtype], _Room]  # by episodes, device and dtype


@dataclass
class CapturedSteps:
    """Takes training steps on a GPU: the first ones of each shape as they are, all later ones by a graph.

    Nothing here waits for the GPU's work, but capturing does.

    Attributes:
        spec: what the episodes look like.
        device: where the steps are taken.
        graphs: what captures and copies.
    """

    spec: EpisodeSpec
    device: torch.device
    graphs: CudaGraphs
    _shapes: dict[tuple[int, ...], _Shape] = field(default_factory=dict)
    _rooms: _Rooms = field(default_factory=dict)  # of which shapes are parts
    _gathering: _Rooms = field(default_factory=dict)  # where batches come from that lie here and there

    def step(self, take: Callable[[StepInputs], UpdateStats], inputs: StepInputs) -> UpdateStats:
        """Take a step; its scalars and errors are the caller's own.

        Args:
            take: a training step on inputs on the device: the same operations at each call, none of which waits.
                Not kept, so that a learner and its graphs end at once when nobody uses them any more.
            inputs: on the CPU or on the device. Page-locked memory may still be read when this returns; it may
                be written again when the next step returns.
        """
        shape = self._shape_of(inputs)
        self._load(shape.inputs, inputs)
        if shape.replay is None:
            if shape.steps_taken < _WARM_UP:
                shape.steps_taken += 1
                return self.graphs.aside(lambda: take(shape.inputs))
            shape.replay, shape.stats = self.graphs.capture(lambda: take(shape.inputs))
        assert shape.stats is not None
        shape.replay()
        return shape.stats.copy()

    def forget(self) -> None:
        """Capture anew: what the graphs wrote into is no longer what the learner uses."""
        self._shapes.clear()

    def _shape_of(self, inputs: StepInputs) -> _Shape:
        episodes, steps = inputs.batch.actions.shape[:2]
        padded = padded_steps(steps, self.spec.episode_limit)
        of_draws = -1 if inputs.draws is None else len(inputs.draws)
        key = (episodes, padded, of_draws, inputs.importance is not None)
        if key not in self._shapes:
            extra = (
                None if x is None else torch.empty_like(x, device=self.device)
                for x in (inputs.importance, inputs.draws)
            )
            room = self._room(self._rooms, inputs.batch, self.device)
            self._shapes[key] = _Shape(StepInputs(room.batch.up_to(padded), *extra))
        return self._shapes[key]

    def _load(self, to: StepInputs, inputs: StepInputs) -> None:
        """Copy inputs of at most as many steps to where a graph reads them, the whole of their memory at once."""
        memory = inputs.batch.memory(self.spec)
        if memory is None:
            memory = self._gather(inputs.batch)
        target = self._room(self._rooms, inputs.batch, self.device).memory
        pairs = [(memory, target), (inputs.importance, to.importance), (inputs.draws, to.draws)]
        self.graphs.upload([(a, b) for a, b in pairs if a is not None and b is not None])

    def _gather(self, batch: EpisodeBatch) -> Tensor:
        """Bring a batch whose tensors lie here and there into one piece of memory."""
        room = self._room(self._gathering, batch, batch.obs.device)
        self.graphs.wait_for_uploads()  # of what it held before
        for name, part in room.batch.up_to(batch.actions.shape[1]).own_tensors(self.spec).items():
            part.copy_(getattr(batch, name))
        return room.memory

    def _room(self, rooms: _Rooms, batch: EpisodeBatch, device: torch.device) -> _Room:
        """Return memory for as many episodes, of zeros at first: what no batch has reached is read."""
        episodes, dtype = len(batch.lengths), batch.rewards.dtype
        key = episodes, device, dtype
        if key not in rooms:
            pinned = device.type == "cpu" and self.device.type == "cuda"
            empty = EpisodeBatch.empty(self.spec, episodes, None, pinned, device, dtype)
            memory = empty.memory(self.spec)
            assert memory is not None
            rooms[key] = _Room(empty, memory.zero_())
        return rooms[key]


def padded_steps(steps: int, limit: int) -> int:
    """Return to how many steps a batch is padded whose longest episode has ``steps``, at most ``limit``."""
    lengths = (-(-limit * k // _LENGTHS) for k in range(1, _LENGTHS + 1))
    return next(length for length in lengths if steps <= length)
