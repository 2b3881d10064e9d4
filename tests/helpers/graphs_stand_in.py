"""Stands in for CUDA graphs, on the CPU."""

import torch

from pyqmix.learn.step import UpdateStats


class Graphs:
    """Graphs on the CPU: a replay calls what was captured, on the memory that it was captured on.

    Args:
        scalars: how many a captured step returns.
    """

    def __init__(self, scalars=4):
        self.scalars = scalars
        self.captured, self.replayed, self.plain = 0, 0, 0

    def upload(self, copies):
        for source, to in copies:
            to.copy_(source)

    def wait_for_uploads(self):
        pass

    def fork(self, function):
        result = function()
        return lambda: result

    def aside(self, function):
        self.plain += 1
        return function()

    def capture(self, function):
        self.captured += 1
        result = UpdateStats(torch.full((self.scalars,), torch.nan, dtype=torch.float64))

        def replay():
            self.replayed += 1
            stats = function()
            result.scalars.copy_(stats.scalars)
            object.__setattr__(result, "episode_errors", stats.episode_errors)

        return replay, result
