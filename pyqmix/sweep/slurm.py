"""Runs as jobs of slurm, by submitit."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pyqmix.base.errors import ConfigError, near
from pyqmix.sweep.command import Command


class SlurmRun:
    """The function of a job: it waits for the run, and stops it where the job's time ends.

    Args:
        command: of the run.
    """

    def __init__(self, command: Command) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> int:
        """Start or resume the run, and return its exit code; Ctrl-C is passed on to it."""
        self._process = self._command.start()
        while True:
            try:
                while (code := self._process.poll()) is None:
                    time.sleep(0.2)
                return code
            except KeyboardInterrupt:
                self._process.send_signal(signal.SIGINT)

    def checkpoint(self) -> Any:
        """Let the run write a checkpoint and end; return the job that resumes it (submitit calls this in time)."""
        from submitit.helpers import DelayedSubmission

        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            with suppress(ChildProcessError):
                os.waitpid(self._process.pid, 0)  # not Popen.wait, which the interrupted code may be in
        return DelayedSubmission(SlurmRun(self._command))


class SlurmProcess:
    """A job of slurm.

    Args:
        job: submitit's.
        command: of the run, whose log gets the reason where the job itself fails.
    """

    def __init__(self, job: Any, command: Command) -> None:
        self._job, self._command = job, command
        self._code: int | None = None

    def poll(self) -> int | None:
        """Return the run's exit code; 1 where the job itself failed; None while it waits or goes on."""
        if self._code is None and self._job.done():
            try:
                self._code = int(self._job.result())
            except Exception as error:  # of the job, of whatever class
                self._code = 1
                told = re.findall(r"^\w[\w.]*(?:Error|Exception)\b.*", str(error), re.MULTILINE)
                reason = told[-1] if told else " ".join(str(error).split())
                self._command.note(f"the job failed: {reason}")
        return self._code

    def stop(self, number: int) -> None:
        """Cancel the job: the cluster then sends its processes a signal."""
        self._job.cancel(check=False)


class SlurmStarter:
    """Starts runs as jobs of slurm.

    Args:
        executor: submitit's.
    """

    def __init__(self, executor: Any) -> None:
        self._executor = executor

    def start(self, command: Command) -> SlurmProcess:
        """Submit the job of a run."""
        return SlurmProcess(self._executor.submit(SlurmRun(command)), command)


def slurm(text: str, logs: Path, cpus: int) -> SlurmStarter:
    """Make a starter for slurm.

    Args:
        text: parameters of submitit's SlurmExecutor, as ``partition=gpu,time=120``; the time is in minutes.
        logs: the folder of the jobs' own logs.
        cpus: of a run, unless ``cpus_per_task`` says otherwise.

    Raises:
        ConfigError: submitit is not installed, a parameter is unknown, or there is no slurm here.
    """
    try:
        import submitit
    except ImportError as error:
        raise ConfigError("slurm: expected submitit: pip install 'pyqmix-marl[slurm]'") from error
    parameters = {"cpus_per_task": cpus, **_parameters(text)}
    known = sorted(submitit.SlurmExecutor._valid_parameters())
    for name in parameters:
        if name not in known:
            raise ConfigError(f"slurm: unknown parameter {name!r}{near(name, known)}")
    try:
        executor = submitit.SlurmExecutor(folder=logs)
        executor.update_parameters(**parameters)
    except (RuntimeError, ValueError, TypeError) as error:
        raise ConfigError(f"slurm: {error}") from error
    return SlurmStarter(executor)


def _parameters(text: str) -> Mapping[str, Any]:
    parameters: dict[str, Any] = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise ConfigError(f"slurm: expected NAME=VALUE,..., as partition=gpu,time=120, got {part!r}")
        parameters[name] = int(value) if value.isdecimal() else value
    if "time" in parameters and not isinstance(parameters["time"], int):
        raise ConfigError(f"slurm: expected time in minutes, got {parameters['time']!r}")
    return parameters
