"""The threads of a run: how many its kernels and its native episodes take, and how many torch takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from pyqmix.base.cores import usable_cores
from pyqmix.base.exhaustion import require_threads
from pyqmix.base.kernel_threads import kernel_threads_of, set_kernel_threads
from pyqmix.base.ranks import Ranks
from pyqmix.base.torch_threads import torch_threads
from pyqmix.config import Config
from pyqmix.learn.learner import Learner
from pyqmix.learn.torch_products import has_torch_products
from pyqmix.run.thread_choice import ThreadChoice, Work


class Threads:
    """The threads of a run, which may change from round to round. The calling thread alone has them.

    Args:
        choice: measures which number is the best; None where ``fixed`` says how many.
        fixed: their number.
    """

    def __init__(self, choice: ThreadChoice | None, fixed: int = 1) -> None:
        self._choice, self._fixed, self._work = choice, fixed, Work()

    @property
    def count(self) -> int:
        """How many there are, but for rounds in which others are tried."""
        return self._fixed if self._choice is None else self._choice.taken

    def learned(self, seconds: float, updates: int) -> None:
        """Take note of the training steps of a round."""
        self._work += Work(learning=seconds, updates=updates)

    def played(self, seconds: float, steps: int) -> None:
        """Take note of the episodes of a round, which they end."""
        work, self._work = self._work + Work(playing=seconds, steps=steps), Work()
        if self._choice is not None:
            self._choice.add(work)
            set_kernel_threads(self._choice.count)


@contextmanager
def run_threads(config: Config, learner: Learner, ranks: Ranks, say: Callable[[str], None]) -> Iterator[Threads]:
    """Set the threads of a run for the code inside, of the calling thread alone.

    Torch has one, because its sums and products have other last bits with another number. Only where the user
    names a number, and networks consist of torch's layers, it has them all.

    Args:
        config: the run's options.
        learner: its networks.
        ranks: its learners. Where there are several, which go in step, the default is one thread for each.
        say: writes a line for the user.
    """
    with ExitStack() as opened:
        if isinstance(config.threads, int):
            if has_torch_products(learner):
                opened.enter_context(torch_threads(config.threads))
            opened.enter_context(kernel_threads_of(config.threads))
            yield Threads(None, config.threads)
        else:
            opened.enter_context(kernel_threads_of(1))
            most = _most() if ranks.count == 1 else 1
            yield Threads(ThreadChoice(most, say) if most > 1 else None)


def _most() -> int:
    """Return how many threads may be tried."""
    cores = usable_cores()
    try:
        require_threads(cores - 1)
    except RuntimeError:  # the system starts no further ones
        return 1
    return cores
