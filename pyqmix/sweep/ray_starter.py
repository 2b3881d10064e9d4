"""Runs as tasks of Ray, each on a worker of a cluster that has the CPUs for it, and the GPU if it asks for one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from pyqmix.base import ray_cluster
from pyqmix.base.errors import ConfigError
from pyqmix.run.lock import is_held
from pyqmix.sweep import tied
from pyqmix.sweep.command import Command, program
from pyqmix.sweep.folder import FILE

RETRIES = 3  # of a run whose node or worker has died
STOPPED = 130  # the exit code of a run that a signal has kept from starting
_FREED = 120.0  # seconds until the file system of a dead node's folder has given its lock back; NFS takes 90
_LOOKS = 0.2  # seconds between two looks at a process


def run_here(command: Command) -> int:
    """Start or resume a run on this node, and return its exit code: the function of a task.

    It ends with its process. Each ``ray.cancel`` sends the run a SIGINT, and the task waits for its end. Where Ray
    ends the worker, the run gets SIGTERM, and writes a checkpoint.

    Raises:
        ConfigError: this node does not have the sweep's folder, or another program writes the run's.
    """
    _require_shared(command)
    cancelled = 0

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal cancelled
        cancelled += 1

    before = signal.signal(signal.SIGINT, note)  # ray.cancel lets Python act as upon SIGINT
    try:
        end = time.monotonic() + _FREED
        while is_held(command.folder) and time.monotonic() < end and not cancelled:
            time.sleep(_LOOKS)  # the process of a worker that died is still writing its checkpoint
        if cancelled:
            return STOPPED
        process, sent = _started(command), 0
        while (code := process.poll()) is None:
            if sent < cancelled:
                sent += 1
                process.send_signal(signal.SIGINT)
            time.sleep(_LOOKS)
        return code
    finally:
        signal.signal(signal.SIGINT, before)


def _started(command: Command) -> subprocess.Popen[bytes]:
    hidden = {} if command.gpus else {"CUDA_VISIBLE_DEVICES": ""}  # those that Ray has given to others
    tie = [sys.executable, "-I", "-S", str(Path(tied.__file__)), str(os.getpid())]
    return replace(command, program=program()).start(tie, {**os.environ, **hidden})


def _require_shared(command: Command) -> None:
    out = command.log.parent.parent
    for path in (out / FILE, command.here):
        if not path.exists():
            raise ConfigError(
                f"{os.uname().nodename} does not have {path}: expected folders that all nodes of the cluster share"
            )


class RayProcess:
    """A run on a cluster of Ray. It goes on elsewhere where its node or its worker dies, a number of times.

    Args:
        ray: the module.
        submit: submits the task of the run.
        command: of the run, whose log gets a line where the task is lost or fails.
    """

    def __init__(self, ray: ModuleType, submit: Callable[[], Any], command: Command) -> None:
        self._ray, self._submit, self._command = ray, submit, command
        self._begin()
        self._code: int | None = None
        self._lost, self._is_stopped = 0, False

    def _begin(self) -> None:
        self._task = self._submit()
        self._future = self._task.future()  # ray.wait takes 200 µs at each look

    def poll(self) -> int | None:
        """Return the run's exit code; 1 where the task failed; None while it waits or goes on."""
        if self._code is None and self._future.done():
            self._code = self._result()
        return self._code

    def _result(self) -> int | None:
        errors = self._ray.exceptions
        try:
            return int(self._future.result())
        except errors.TaskCancelledError:
            return STOPPED  # before it has begun
        except errors.RayTaskError as error:
            self._command.note(f"the task failed: {_line(error.cause)}")
            return 1
        except errors.RayError as error:  # of the worker or the node
            self._lost += 1
            if self._is_stopped:
                return STOPPED
            if self._lost > RETRIES:
                self._command.note(f"the task was lost {self._lost} times: {_line(error)}")
                return 1
            self._command.note(f"the task was lost, and the run goes on elsewhere: {_line(error)}")
            self._begin()
            return None

    def stop(self, number: int) -> None:
        """Let the run end: the task gets SIGINT for whatever signal, and one that has not begun is not started."""
        self._is_stopped = True
        self._ray.cancel(self._task, force=False)


class RayStarter:
    """Starts runs as tasks of Ray.

    Args:
        ray: the module, initialised.
        say: takes a line for the user.
    """

    def __init__(self, ray: ModuleType, say: Callable[[str], None]) -> None:
        self._ray, self._say = ray, say
        self._fits: set[tuple[int, int]] = set()

    def start(self, command: Command) -> RayProcess:
        """Submit the task of a run."""
        self._doubt(command.cpus, command.gpus)
        here = command.here  # where a worker is not
        there = replace(command, folder=here / command.folder, log=here / command.log)
        task = self._ray.remote(num_cpus=command.cpus, num_gpus=command.gpus, max_retries=0)(run_here)
        named = task.options(name=command.folder.name)
        return RayProcess(self._ray, lambda: named.remote(there), there)

    def _doubt(self, cpus: int, gpus: int) -> None:
        """Say, once, that no node is large enough: a cluster that grows may get one."""
        if (cpus, gpus) in self._fits:
            return
        self._fits.add((cpus, gpus))
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        if not any(node.get("CPU", 0) >= cpus and node.get("GPU", 0) >= gpus for node in nodes):
            self._say(f"runs wait for a node of {cpus} CPUs and {gpus} GPUs: the cluster has none now")


@contextmanager
def ray_starter(address: str, say: Callable[[str], None]) -> Iterator[RayStarter]:
    """Join a cluster, and leave it in the end.

    Args:
        address: as of :func:`pyqmix.base.ray_cluster.connect`.
        say: takes a line for the user.

    Raises:
        ConfigError: Ray is not installed, or no cluster answers.
    """
    ray = ray_cluster.connect(address)
    try:
        yield RayStarter(ray, say)
    finally:
        ray_cluster.disconnect()


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())
