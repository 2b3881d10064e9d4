"""The pool of threads behind the operations: asleep when there is nothing to do, of use on one core."""

import os
import re
import time
from pathlib import Path

import pytest
import torch

from pyqmix import ops
from pyqmix.base.kernel_threads import kernel_threads_of


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def make_inputs(rows=20_000):
    torch.manual_seed(0)
    return [torch.randn(rows, width) for width in (2, 2 * 8, 8, 8)] + [torch.randn(rows)]


@pytest.mark.usefixtures("two_threads")
def test_threads_that_wait_take_no_core():
    inputs = make_inputs()
    for _ in range(20):
        ops.mix(*inputs)
    before = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - before < 0.1


def waits():
    """How often each thread of this process has waited, by its number."""
    found = {}
    for task in Path("/proc/self/task").iterdir():
        lines = (task / "status").read_text()
        found[task.name] = int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", lines, re.MULTILINE)[1])
    return found


@pytest.mark.usefixtures("two_threads")
def test_a_job_of_few_threads_wakes_few():
    inputs = make_inputs()
    with kernel_threads_of(8):
        ops.mix(*inputs)
    before = waits()
    for _ in range(20):
        time.sleep(0.002)  # so that the workers are asleep
        ops.mix(*inputs)
    after = waits()
    assert sum(after[task] - before.get(task, 0) >= 10 for task in after) <= 2  # this one, and a worker


@pytest.mark.usefixtures("two_threads")
def test_more_threads_than_cores_get_the_same():
    inputs = make_inputs()
    expected = ops.mix(*inputs)
    child = os.fork()  # its threads are its own, and inherit its one core
    if child == 0:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        torch.set_num_threads(5)
        os._exit(0 if all(torch.equal(ops.mix(*inputs), expected) for _ in range(50)) else 1)
    assert os.waitpid(child, 0)[1] == 0
