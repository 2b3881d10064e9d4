"""The training step as a CUDA graph: launched at once, not operation by operation.

A graph repeats the same operations on the same memory, so every shape of inputs has a graph. Batches are
padded to a quarter, a half, three quarters or the whole of the episode limit: at most four graphs for each size
of a batch, and short episodes cost less than long ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pyqmix.base.spec import EpisodeSpec
from pyqmix.config import Config
from pyqmix.learn.autograd_step import AutogradStep
from pyqmix.learn.cuda_graph import CudaGraphs
from pyqmix.learn.networks import Networks
from pyqmix.learn.rows import StepRows
from pyqmix.learn.step import StepInputs, UpdateStats
from pyqmix.nn.mixers import squared_error
from pyqmix.replay.batch import EpisodeBatch

_WARM_UP = 3  # ordinary steps of a shape, in which libraries and optimizer allocate their memory
_LENGTHS = 4  # to which episodes are padded, evenly up to the limit


@dataclass
class _Shape:
    """The graph of one shape of inputs.

    Attributes:
        inputs: where the graph reads.
        steps_taken: steps before the capture.
        replay: repeats the captured step.
        stats: where the graph writes.
    """

    inputs: StepInputs
    steps_taken: int = 0
    replay: Callable[[], None] | None = None
    stats: UpdateStats | None = None


# Batches with room for the episode limit, by episodes, device and dtype.
_Rooms = dict[tuple[int, torch.device, torch.dtype], EpisodeBatch]


class GraphStep(AutogradStep):
    """Takes training steps on a GPU: the first ones of each shape as they are, all later ones by a graph.

    Nothing here waits for the GPU's work, but capturing does.

    Args:
        networks: some on the GPU.
        config: the run's options.
        spec: the episodes' sizes.
        graphs: captures and copies.
    """

    def __init__(self, networks: Networks, config: Config, spec: EpisodeSpec, graphs: CudaGraphs) -> None:
        super().__init__(networks, config)
        self.spec, self.graphs = spec, graphs
        self.batch_room = spec.episode_limit
        self._shapes: dict[tuple[int, ...], _Shape] = {}
        self._rooms: _Rooms = {}  # of which shapes are parts
        self._gathering: _Rooms = {}  # where batches come from whose tensors are apart

    def take(self, step: Callable[[StepInputs], UpdateStats], inputs: StepInputs) -> UpdateStats:
        """Take a step; its scalars and errors are the caller's own.

        Args:
            step: a training step on inputs on the device: the same operations at each call, none of which waits.
                It is not kept, so that a learner and its graphs end as soon as nobody uses them.
            inputs: on the CPU or on the device. Page-locked memory may still be read when this returns; it may
                be written again when the next step returns.
        """
        shape = self._shape_of(inputs)
        self._load(shape.inputs, inputs)
        if shape.replay is None:
            if shape.steps_taken < _WARM_UP:
                shape.steps_taken += 1
                return self.graphs.aside(lambda: step(shape.inputs))
            shape.replay, shape.stats = self.graphs.capture(lambda: step(shape.inputs))
        assert shape.stats is not None
        shape.replay()
        return shape.stats.copy()

    def lay_out(self, batch: EpisodeBatch) -> StepRows:
        """Lay a batch's steps out as rows, with padding: a graph's shapes do not depend on episodes' lengths."""
        return StepRows.of_fixed_shape(batch)

    def loss(self, rows: StepRows, rewards: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the loss, values and targets; values and targets on two streams, as neither fills a GPU."""
        fork = self.graphs.fork
        # Double-Q's targets need the online network's values.
        join = None if self.config.double_q else fork(lambda: self.targets(rows, rewards, None))
        online_qs = self.networks.agent.unroll(rows.obs, rows.point_counts)
        if join is None:
            join = fork(lambda: self.targets(rows, rewards, online_qs))
        values = self.networks.mixer(rows.chosen(online_qs), rows.at_steps(rows.states))
        targets = join()
        loss, values = squared_error(values, targets, weights)
        return loss, values, targets

    def forget(self) -> None:
        """Capture again: the optimizer's state is not where the graphs write it."""
        self._shapes.clear()

    def _shape_of(self, inputs: StepInputs) -> _Shape:
        episodes, steps = inputs.batch.actions.shape[:2]
        padded = padded_steps(steps, self.spec.episode_limit)
        of_draws = -1 if inputs.draws is None else len(inputs.draws)
        key = (episodes, padded, of_draws, inputs.importance is not None)
        if key not in self._shapes:
            extra = (
                None if x is None else torch.empty_like(x, device=self.networks.device)
                for x in (inputs.importance, inputs.draws)
            )
            room = self._room(self._rooms, inputs.batch, self.networks.device)
            self._shapes[key] = _Shape(StepInputs(room.up_to(padded), *extra))
        return self._shapes[key]

    def _load(self, to: StepInputs, inputs: StepInputs) -> None:
        """Copy inputs of at most as many steps to where a graph reads them, the whole of their memory at once."""
        memory = inputs.batch.memory
        if memory is None:
            memory = self._gather(inputs.batch)
        target = self._room(self._rooms, inputs.batch, self.networks.device).memory
        pairs = [(memory, target), (inputs.importance, to.importance), (inputs.draws, to.draws)]
        self.graphs.upload([(a, b) for a, b in pairs if a is not None and b is not None])

    def _gather(self, batch: EpisodeBatch) -> Tensor | None:
        """Bring a batch whose tensors are apart into one piece of memory."""
        room = self._room(self._gathering, batch, batch.obs.device)
        self.graphs.wait_for_uploads()  # of the batch before
        for name, part in room.up_to(batch.actions.shape[1]).own_tensors(self.spec).items():
            part.copy_(getattr(batch, name))
        return room.memory

    def _room(self, rooms: _Rooms, batch: EpisodeBatch, device: torch.device) -> EpisodeBatch:
        """Return room for as many episodes as a batch has, zeroed, because rows without a step are read."""
        episodes, dtype = len(batch.lengths), batch.rewards.dtype
        key = episodes, device, dtype
        if key not in rooms:
            page_locked = device.type == "cpu" and self.networks.device.type == "cuda"
            rooms[key] = EpisodeBatch.empty(self.spec, episodes, None, page_locked, device, dtype)
            memory = rooms[key].memory
            assert memory is not None
            memory.zero_()
        return rooms[key]


def padded_steps(steps: int, limit: int) -> int:
    """Return to how many steps a batch is padded whose longest episode has ``steps``, at most ``limit``."""
    lengths = (-(-limit * k // _LENGTHS) for k in range(1, _LENGTHS + 1))
    return next(length for length in lengths if steps <= length)
