"""Fused operations on tensors, each with its slow twin in :mod:`pyqmix.ops.reference`.

This package is the only place that hands tensors to the extension's kernels, after it has checked their device,
dtype, shape and strides: the extension trusts them. CPU operations take float32 and float64 and use at most
``torch.get_num_threads()`` threads, in a run those of ``--threads``; their results do not depend on how many.
``adam``, ``greedy_next_qs``, ``linear``, ``mix``, ``pad_episodes`` and ``td_target`` run on a GPU too, on torch's
current stream, and do not wait for it.
"""

from pyqmix.base.network_spec import NetworkSpec
from pyqmix.ops import reference
from pyqmix.ops.adam import adam
from pyqmix.ops.backend import use_backend
from pyqmix.ops.errors import NoAvailableActionError
from pyqmix.ops.gru import gru
from pyqmix.ops.late_errors import raise_late_errors
from pyqmix.ops.linear import linear
from pyqmix.ops.mixing import mix
from pyqmix.ops.mlp import mlp
from pyqmix.ops.packing import pack_episodes
from pyqmix.ops.padding import pad_episodes
from pyqmix.ops.qmixer import qmixer, qmixer_loss, qmixer_td_target
from pyqmix.ops.target import greedy_next_qs, td_target
from pyqmix.ops.training import qmix_gradients

__all__ = [
    "NetworkSpec",
    "NoAvailableActionError",
    "adam",
    "greedy_next_qs",
    "gru",
    "linear",
    "mix",
    "mlp",
    "pack_episodes",
    "pad_episodes",
    "qmix_gradients",
    "qmixer",
    "qmixer_loss",
    "qmixer_td_target",
    "raise_late_errors",
    "reference",
    "td_target",
    "use_backend",
]
