"""The process of a run: ``pyqmix-train``, started or resumed, with its output in a log."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pyqmix.base.command_line import as_arguments
from pyqmix.base.cores import AUTO
from pyqmix.base.errors import ConfigError
from pyqmix.base.files import open_to_append
from pyqmix.base.sealed import read_object
from pyqmix.base.untrusted import require_file

if TYPE_CHECKING:
    from pyqmix.sweep.planned import PlannedRun

PROGRAM = "pyqmix-train"


@dataclass(frozen=True)
class Command:
    """Starts or resumes a run. A job of a cluster gets it as its function.

    Attributes:
        program: the path of ``pyqmix-train``.
        fresh: the arguments of a new run, without its folder.
        folder: the run's.
        log: the file for the run's output.
        here: the folder to which paths in the options are relative.
        cpus: that the run uses on its machine: its threads and its workers' processes.
        gpus: that it uses.
    """

    program: str
    fresh: tuple[str, ...]
    folder: Path
    log: Path
    here: Path
    cpus: int = 1
    gpus: int = 0

    @property
    def arguments(self) -> list[str]:
        """The command line: of a new run, or of one that goes on, whose options have been checked."""
        if (self.folder / "config.json").exists():
            return [self.program, "--resume", str(self.folder), "--trust"]
        return [self.program, *self.fresh, f"--run-dir={self.folder}"]

    def start(
        self, before: Sequence[str] = (), environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start the process, in a session of its own: signals of the terminal reach the sweep alone.

        Args:
            before: a program, with arguments, that executes the command line which it gets behind them.
            environment: of the process; None is this one's.

        Raises:
            OSError: no process could be started, or its log is no file that can be written.
        """
        with open_to_append(self.log) as log:
            return subprocess.Popen(
                [*before, *self.arguments],
                cwd=self.here,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=environment,
            )

    def note(self, line: str) -> None:
        """Add a line to the log, if it can be written."""
        with suppress(OSError), open_to_append(self.log) as log:
            log.write(f"{line}\n".encode())

    def last_line(self) -> str:
        """Return the last line of the log."""
        try:
            require_file(self.log)  # reading a FIFO could wait forever
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - 4_096))
                lines = file.read().decode(errors="replace").split("\n")
        except (ConfigError, OSError):
            return ""
        return next((" ".join(line.split()) for line in reversed(lines) if line.strip()), "")


def command(run: PlannedRun, out: Path, threads: int | str) -> Command:
    """Make the command of a run.

    Args:
        run: of the sweep.
        out: the sweep's folder; the run's is ``runs/NAME`` in it, its log ``logs/NAME.log``.
        threads: of the run, unless the sweep sets them.
    """
    options = {"env": run.config.env, **run.options}
    options.setdefault("threads", threads)
    fresh = ([] if run.preset is None else [f"--preset={run.preset}"]) + as_arguments(options, type(run.config))
    folder, log = out / "runs" / run.name, out / "logs" / f"{run.name}.log"
    elsewhere = run.config.rollout == "ray" and run.config.ray_address != "local"
    cpus = 1 if options["threads"] == AUTO else int(options["threads"])
    cpus += 0 if elsewhere else run.config.num_workers
    gpus = int("cuda" in (run.config.device, run.config.replay_device))
    return Command(program(), tuple(fresh), folder, log, Path.cwd(), cpus, gpus)


def require_own(folder: Path, run: PlannedRun) -> None:
    """Require that the run in a folder has the options that the sweep gives it.

    Raises:
        ConfigError: it has others; the message names the first.
    """
    saved = read_object(folder / "config.json")
    expected = json.loads(json.dumps(dataclasses.asdict(run.config)))
    for name, value in expected.items():
        ignored = name == "run_dir" or (name == "threads" and name not in run.options)
        if not ignored and saved.get(name, value) != value:
            raise ConfigError(f"{folder}: its {name} is {saved[name]!r}, and the sweep's is {value!r}")


def program() -> str:
    """Return the path of ``pyqmix-train`` that belongs to this interpreter.

    Raises:
        ConfigError: there is none.
    """
    beside = Path(sys.executable).with_name(PROGRAM)
    found = str(beside) if beside.is_file() else shutil.which(PROGRAM)
    if found is None:
        raise ConfigError(f"{PROGRAM}: expected it in the folder of {sys.executable}, or on the PATH")
    return found
