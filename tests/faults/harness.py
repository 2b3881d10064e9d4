"""Starts pyqmix-train hundreds of times: each start is a fork of one process that has imported everything.

A real start takes seconds for importing torch. A fork takes none, and is the same program from ``main`` on: it has
its own process group, its own folder, and files as stdout and stderr.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["OMP_NUM_THREADS"] = "1"

sys.path.append(str(Path(__file__).parents[1] / "helpers"))

import torch
from interpreter_end import exit_code

import pyqmix.cli.evaluate
import pyqmix.cli.train
import pyqmix.play.evaluator
import pyqmix.run.results
from pyqmix.run.curve import plot_curve
from pyqmix.run.metrics import Metrics

COMMANDS = {"pyqmix-train": pyqmix.cli.train.main, "pyqmix-eval": pyqmix.cli.evaluate.main}
PATIENCE = 120.0  # seconds after which a command counts as hanging


class Outcome(NamedTuple):
    """How a command ended; the code of one that a signal killed is negative."""

    code: int
    stdout: str
    stderr: str

    @property
    def is_one_line(self) -> bool:
        """Whether it was refused, or failed, with exit code 2 and one line."""
        lines = self.stderr.splitlines()
        return self.code == 2 and len(lines) == 1 and "error: " in lines[0]


def warm() -> None:
    """Import what a run imports on its way, without starting a thread."""
    torch.set_num_threads(1)
    torch.optim.Adam([torch.zeros(1, requires_grad=True)])  # imports torch._dynamo
    with folder() as work:
        plot_curve([Metrics(1, 1, 1, 1.0)], work / "curve.png", "warm")


def warm_workers() -> None:
    """Start the server that forks worker processes, which all forks of this process then use."""
    from multiprocessing import forkserver, get_context

    context = get_context("forkserver")
    context.set_forkserver_preload(["pyqmix.play.worker"])
    process = context.Process(target=int)
    process.start()
    process.join()
    forkserver._forkserver.ensure_running = lambda: None  # a fork is not its parent, and would start another


@contextmanager
def folder(in_memory: bool = True):
    """Make a folder, in memory where that is possible, and remove it at the end."""
    memory = "/dev/shm" if in_memory and os.access("/dev/shm", os.W_OK) else None
    path = Path(tempfile.mkdtemp(prefix="faults-", dir=memory))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


class Child:
    """A command that was started in the folder ``cwd``."""

    def __init__(self, pid: int, cwd: Path, name: str) -> None:
        self.pid, self._files = pid, [cwd / f"{name}.out", cwd / f"{name}.err"]
        self._descriptor = os.pidfd_open(pid)

    def ended_within(self, seconds: float) -> bool:
        """Wait until it ends, at most ``seconds``."""
        return bool(select.select([self._descriptor], [], [], max(seconds, 0.0))[0])

    def kill(self) -> None:
        """Send SIGKILL to it, and not to its workers."""
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> Outcome:
        """Return how it ended.

        Raises:
            AssertionError: it hangs.
        """
        hangs = not self.ended_within(PATIENCE)
        if hangs:
            self.kill()
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self._descriptor)
        stdout, stderr = (file.read_text(errors="replace") for file in self._files)
        assert not hangs, f"hangs: {stdout}{stderr}"
        return Outcome(code, stdout, stderr)


def start(
    arguments: list[str],
    cwd: Path,
    *,
    command: str = "pyqmix-train",
    name: str = "log",
    before: Callable[[], None] | None = None,
    real: bool = False,
) -> Child:
    """Start a command.

    Args:
        arguments: of the command line.
        cwd: its folder, which gets NAME.out and NAME.err.
        command: one of COMMANDS.
        name: of its two files.
        before: called in the fork before the command; plants a fault.
        real: start the installed command instead of a fork.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if real:
        with (cwd / f"{name}.out").open("w") as out, (cwd / f"{name}.err").open("w") as err:
            program = [Path(sys.executable).parent / command, *arguments]
            process = subprocess.Popen(program, cwd=cwd, stdout=out, stderr=err, start_new_session=True)
        process.returncode = 0  # Child waits for it
        return Child(process.pid, cwd, name)
    if pid := os.fork():
        return Child(pid, cwd, name)
    code = 1
    try:
        os.setsid()
        os.chdir(cwd)
        for descriptor, ending in ((1, "out"), (2, "err")):
            file = os.open(f"{name}.{ending}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.dup2(file, descriptor)
            os.close(file)
        sys.argv = [command, *arguments]
        vars(sys.modules["__main__"]).pop("__file__", None)  # worker processes would import this test
        if before is not None:
            before()
        code = exit_code(COMMANDS[command])
    finally:
        os._exit(code)


def light() -> None:
    """Leave out the curve and the interval of the last line, which take most of a tiny run's time."""
    pyqmix.run.results.plot_curve = lambda history, path, title: path.write_bytes(b"curve")
    pyqmix.play.evaluator.Evaluation.interval = lambda self: (0.0, 0.0)


def run(arguments: list[str], cwd: Path, **options) -> Outcome:
    """Run a command to its end; see :func:`start`."""
    return start(arguments, cwd, **options).wait()


def in_parallel(function: Callable[[object], object], jobs: list, processes: int = 2) -> list:
    """Return ``function(job)`` for each job, computed by forks of this process; the results must fit JSON."""
    sys.stdout.flush()
    readers = {}
    for shard in range(min(processes, len(jobs))):
        reader, writer = os.pipe()
        pid = os.fork()
        if pid:
            os.close(writer)
            readers[pid] = (shard, reader)
            continue
        code = 1
        try:
            os.setpgid(0, 0)
            with os.fdopen(writer, "w") as pipe:
                for job in jobs[shard::processes]:
                    pipe.write(json.dumps(function(job)) + "\n")
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    results: list = [None] * len(jobs)
    failed = False
    for pid, (shard, reader) in readers.items():
        with os.fdopen(reader) as pipe:
            found = [json.loads(line) for line in pipe]
        failed |= os.waitpid(pid, 0)[1] != 0
        results[shard : shard + processes * len(found) : processes] = found
    if failed:
        sys.exit("a part of this check failed")
    return results
