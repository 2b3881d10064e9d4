"""Whether the bits of training steps depend on a number of threads."""

from __future__ import annotations

from pyqmix.learn.learner import Learner
from pyqmix.nn.make import is_built_in


def has_torch_products(learner: Learner) -> bool:
    """Whether torch multiplies matrices in a learner's training steps on the CPU, or may do so in a user's code.

    The last bits of its products and sums depend on its number of threads. pyqmix's own networks, as they were
    made, take its kernels, whose bits do not depend on a number; what torch adds up then is small, and one thread
    is enough for it. The mixers of :mod:`pyqmix.methods` consist of torch's layers.
    """
    own = is_built_in(learner.agent) and is_built_in(learner.mixer)
    return learner.config.backend == "reference" or not own
