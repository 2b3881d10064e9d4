"""The learner processes of one run: their numbers, and how they hear of each other.

``torchrun`` starts a command several times and numbers the processes, which are called ranks. They talk by
torch.distributed's collectives: gloo for tensors on the CPU, NCCL for those on GPUs. Each rank must make the same
calls in the same order.

Threading contract: one thread of a process uses its :class:`Ranks`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import count, pairwise
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, distributed

from pyqmix.base.errors import RankError

T = TypeVar("T")
TIMEOUT = timedelta(minutes=30)  # that a rank waits for the slowest; one that has ended is noticed at once
_groups = count()  # of this process: each needs names of its own in torchrun's store


class Ranks:
    """The only learner process of a run. :class:`Group` is one of several, with the same calls.

    Attributes:
        rank: the number of this process, from 0. Rank 0 writes the run's results.
        count: processes.
    """

    rank, count = 0, 1

    def share(self, things: int) -> range:
        """Return which of a number of things are this rank's; the shares differ by one at most."""
        return self.shares(things)[self.rank]

    def shares(self, things: int) -> list[range]:
        """Return which of a number of things are each rank's."""
        ends = [things * rank // self.count for rank in range(self.count + 1)]
        return [range(*pair) for pair in pairwise(ends)]

    def sum(self, tensor: Tensor) -> None:
        """Put the sum of all ranks' tensors, which have the same shape, in place of this one.

        Raises:
            RankError: another rank has ended.
        """

    def gather(self, row: Tensor) -> Tensor:
        """Return the rows (K,) of all ranks, on the CPU, as one tensor (count, K).

        Raises:
            RankError: another rank has ended.
        """
        return row.unsqueeze(0)

    def of_each(self, thing: T) -> list[T]:
        """Return a thing of each rank, which can be pickled, in their order.

        Raises:
            RankError: another rank has ended.
        """
        return [thing]

    def of_first(self, make: Callable[[], T]) -> T:
        """Let rank 0 call a function, and return its result, which can be pickled, on all ranks.

        Raises:
            RankError: another rank has ended; or the function has raised, and this is another rank.
        """
        return make()


ALONE = Ranks()


class Group(Ranks):
    """One of several learner processes.

    Args:
        control: the group whose CPU tensors gloo carries; None: torch's default group.
    """

    def __init__(self, control: distributed.ProcessGroup | None) -> None:
        self.rank, self.count = distributed.get_rank(), distributed.get_world_size()
        self._control = control

    def sum(self, tensor: Tensor) -> None:
        """See :meth:`Ranks.sum`."""
        with self._naming_the_lost():
            distributed.all_reduce(tensor, group=self._control if tensor.is_cpu else None)

    def gather(self, row: Tensor) -> Tensor:
        """See :meth:`Ranks.gather`."""
        rows = row.new_empty(self.count, len(row))
        with self._naming_the_lost():
            distributed.all_gather(list(rows.unbind()), row, group=self._control)
        return rows

    def of_each(self, thing: T) -> list[T]:
        """See :meth:`Ranks.of_each`."""
        things: list[Any] = [None] * self.count
        with self._naming_the_lost():
            distributed.all_gather_object(things, thing, group=self._control)
        return things

    def of_first(self, make: Callable[[], T]) -> T:
        """See :meth:`Ranks.of_first`."""
        if self.rank > 0:
            made, reason = self._from_first(None)
            if reason is not None:
                raise RankError(f"learner 0 failed: {reason}")
            return cast(T, made)
        try:
            made = make()
        except BaseException as error:
            with suppress(RankError):  # this error is the one that counts
                self._from_first((None, str(error) or type(error).__name__))
            raise
        self._from_first((made, None))
        return made

    def _from_first(self, thing: tuple[Any, str | None] | None) -> tuple[Any, str | None]:
        things = [thing]
        with self._naming_the_lost():
            distributed.broadcast_object_list(things, src=0, group=self._control)
        (sent,) = things
        assert sent is not None
        return sent

    @contextmanager
    def _naming_the_lost(self) -> Iterator[None]:
        """Turn torch's error about another rank's end into a sentence."""
        try:
            yield
        except RuntimeError as error:  # gloo's, and DistBackendError of NCCL
            reason = re.sub(r"^\[\S+:\d+\] ", "", str(error).splitlines()[0]).partition(". ")[0]
            raise RankError(
                f"learner {self.rank} of {self.count} ends, because another one has ended or cannot be reached "
                f"({reason}); messages above or torchrun's say which; --resume goes on from the last checkpoint"
            ) from error


@contextmanager
def joined_ranks() -> Iterator[Ranks]:
    """Join the processes that train one run together, inside of the block.

    These are those of torch's default process group, where the program has initialised one, else those that
    torchrun has started, else this process alone. With ``torchrun``, a rank trains on the GPU of its local rank.

    Raises:
        RankError: the group cannot be joined.
    """
    if not distributed.is_available():
        yield ALONE
        return
    if distributed.is_initialized() and distributed.get_world_size() > 1:
        control = distributed.new_group(backend="gloo", timeout=TIMEOUT)
        try:
            yield Group(control)
        finally:
            distributed.destroy_process_group(control)
        return
    if distributed.is_initialized() or not _is_launched():
        yield ALONE
        return
    from torch.distributed.rendezvous import rendezvous

    on_gpus = torch.cuda.is_available() and distributed.is_nccl_available()
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if on_gpus and local < torch.cuda.device_count():
        torch.cuda.set_device(local)
    store, rank, size = next(rendezvous("env://", timeout=TIMEOUT))
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")  # torchrun's store may outlive the processes
    distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if on_gpus else "gloo",
        store=distributed.distributed_c10d.PrefixStore(f"pyqmix/{attempt}/{next(_groups)}", store),
        rank=rank,
        world_size=size,
        timeout=TIMEOUT,
    )
    try:
        yield Group(None)
    finally:
        distributed.destroy_process_group()


def _is_launched() -> bool:
    """Whether torchrun has started this process as one of several."""
    return distributed.is_torchelastic_launched() and int(os.environ.get("WORLD_SIZE", "1")) > 1
