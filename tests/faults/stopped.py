"""A tiny run that was stopped just before a save, and the log of every call from there to its end."""

import shutil
from collections.abc import Callable
from pathlib import Path

import harness
import runs
import shim

EVERY = ["--checkpoint-every", "150", "--log-every", "1000", "--eval-every", "400"]
SIZES = {
    "small": [],
    "wide": ["--hidden-dim", "64", "--embed-dim", "32"],
    "long": ["--buffer-size", "400", "--num-envs", "10", "--total-steps", "3000", "--checkpoint-every", "300"],
}


class Stopped:
    """A run that was killed when it began its last save but one.

    Args:
        work: an empty folder, which gets the stopped run and its copies.
        size: one of SIZES.
        before: plants a fault into the resumed run that is logged.

    Attributes:
        expected: the content of the run when it is never stopped.
        target: the text in the path of the save's first call.
        calls: the calls of the resumed run, from its start to its end.
        first: where the save begins in them.
        size: how many calls later the next one begins.
    """

    def __init__(self, work: Path, size: str, before: Callable[[], None] | None = None) -> None:
        self.work, device = work, shim.here(work)
        arguments = [*runs.LBF, *EVERY, *SIZES[size], "--run-dir", "run"]
        (work / "whole").mkdir()
        (work / "stopped").mkdir()
        device.arm(shim.LOG, work / "whole" / "run")
        outcome = harness.run(arguments, work / "whole")
        device.disarm()
        assert outcome.code == 0, outcome
        self.expected = runs.content(work / "whole" / "run")
        begun = [call.path for call in device.calls() if call.kind == "mkdir" and call.path.endswith(".partial")]
        self.target, following = (Path(path).name for path in begun[-2:])
        device.arm(shim.KILL_BEFORE, work / "stopped" / "run", self.target, target=1)
        harness.run(arguments, work / "stopped")
        assert device.disarm() == 1, "the run was not stopped before its last save but one"
        self._before = runs.newest(work / "stopped" / "run").name
        self._files = runs.files(work / "stopped" / "run" / "checkpoints" / self._before)
        self.logged = self.copy("logged") / "run"
        self.disk = runs.inodes(self.logged)
        device.arm(shim.LOG, self.logged)
        outcome = harness.run(
            ["--resume", "run"], work / "logged", before=lambda: (harness.light(), before and before())
        )
        device.disarm()
        assert outcome.code == 0, outcome
        self.calls = device.calls()
        self.first = next(n for n, call in enumerate(self.calls) if self.target in call.path)
        self.size = next(n for n, call in enumerate(self.calls) if following in call.path) - self.first

    def copy(self, name: str) -> Path:
        """Copy the stopped run, with its hard links, to ``work/NAME/run``; return ``work/NAME``."""
        links: dict[int, str] = {}

        def copied(source: str, target: str) -> None:
            first = links.setdefault(Path(source).stat().st_ino, target)
            if first == target:
                shutil.copy2(source, target)
            else:
                Path(target).hardlink_to(first)

        shutil.rmtree(self.work / name, ignore_errors=True)
        shutil.copytree(self.work / "stopped", self.work / name, copy_function=copied)
        return self.work / name

    def has_checkpoint(self, run_dir: Path) -> bool:
        """Whether the checkpoint before the save is as it was."""
        return runs.files(run_dir / "checkpoints" / self._before) == self._files
