"""Several ranks as threads of this process, whose collectives wait at a barrier."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

from pyqmix.base.errors import RankError
from pyqmix.base.ranks import Ranks
from pyqmix.run import trainer

PATIENCE = 60.0  # seconds
_LEAVING = 0.05  # seconds that the others may take to leave a collective which all have reached


class ThreadRanks(Ranks):
    """One of several ranks that share a list and a barrier."""

    def __init__(self, rank, count, things, barrier):
        self.rank, self.count, self._things, self._barrier = rank, count, things, barrier
        self.sums = 0

    def of_each(self, thing):
        self._things[self.rank] = thing
        self._wait()
        things = list(self._things)
        self._wait()
        return things

    def of_first(self, make):
        try:
            made, error = (make() if self.rank == 0 else None), None
        except Exception as raised:
            made, error = None, raised
        made, reason = self.of_each((made, error))[0]
        if reason is not None:
            raise reason if self.rank == 0 else RankError(f"learner 0 failed: {reason}")
        return made

    def sum(self, tensor):
        self.sums += 1
        tensor.copy_(torch.stack(self.of_each(tensor.clone())).sum(0))

    def gather(self, row):
        return torch.stack(self.of_each(row.clone()))

    def _wait(self):
        try:
            self._barrier.wait(PATIENCE)
        except threading.BrokenBarrierError:
            raise RankError("another rank has ended") from None


def in_step(count, function):
    """Call a function of its ranks in a thread for each rank; return the results or exceptions in their order."""
    things, barrier = [None] * count, threading.Barrier(count)

    def call(rank):
        try:
            return function(ThreadRanks(rank, count, things, barrier))
        except BaseException as error:
            time.sleep(_LEAVING)
            barrier.abort()
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(call, range(count)))


def train_in_step(monkeypatch, count, train):
    """Call a function that trains in a thread for each rank, which then are the run's learners."""
    here = threading.local()

    @contextmanager
    def joined_ranks():
        yield here.ranks

    def run(ranks):
        here.ranks = ranks
        return train()

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "joined_ranks", joined_ranks)
        return in_step(count, run)
