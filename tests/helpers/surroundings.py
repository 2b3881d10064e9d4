"""The state that a process shares between all that run in it, as values to compare."""

import decimal
import gc
import locale
import logging
import multiprocessing
import os
import random
import signal
import sys
import threading
import warnings

import matplotlib
import numpy as np
import torch


def state_of_the_process():
    """Return what a library must leave as it was, by name."""
    umask = os.umask(0)
    os.umask(umask)
    return {
        "torch's generator": torch.get_rng_state().tolist(),
        "numpy's generator": [str(part) for part in np.random.get_state(legacy=True)],
        "Python's generator": random.getstate(),
        "torch's threads": torch.get_num_threads(),
        "torch's threads elsewhere": in_a_thread(torch.get_num_threads),
        "torch's modes": (
            *(torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_anomaly_enabled()),
            *(torch.get_default_dtype(), torch.get_default_device(), torch.is_autocast_enabled("cpu")),
            *(torch.are_deterministic_algorithms_enabled(), torch.get_float32_matmul_precision()),
            *(torch.backends.cudnn.enabled, torch.backends.cudnn.benchmark, torch.backends.mkldnn.enabled),
        ),
        "numpy's errors": np.geterr(),
        "environment": dict(os.environ),
        "signals": [signal.getsignal(number) for number in signal.valid_signals()],
        "held signals": signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        "warnings": (list(warnings.filters), warnings.showwarning),
        "streams": (sys.stdin, sys.stdout, sys.stderr, sys.displayhook, sys.excepthook, threading.excepthook),
        "path": (list(sys.path), os.getcwd()),
        "matplotlib": dict(dict.items(matplotlib.rcParams)),  # without a look that chooses the backend
        "start method": multiprocessing.get_start_method(allow_none=True),
        "logging": (logging.root.level, list(logging.root.handlers), logging.root.manager.disable),
        "locale": locale.setlocale(locale.LC_ALL),
        "decimal": str(decimal.getcontext()),
        "interpreter": (gc.isenabled(), gc.get_threshold(), sys.getswitchinterval(), sys.getrecursionlimit()),
        "umask": umask,
        "threads": {thread.name for thread in threading.enumerate()},
        "descriptors": sum(not leads_to_a_font(fd) for fd in os.listdir("/proc/self/fd")),
    }


def leads_to_a_font(fd):
    """Whether matplotlib keeps it open, for each thread that has drawn."""
    path = f"/proc/self/fd/{fd}"
    return os.path.islink(path) and os.readlink(path).endswith(".ttf")


def in_a_thread(call):
    """Return what a new thread gets of a call."""
    results = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()
    thread.join()
    return results[0]
