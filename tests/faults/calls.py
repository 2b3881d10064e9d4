"""Every system call of one save fails, writes half, or is the last of its process; --resume goes on all the same.

    LD_PRELOAD=shim.so python calls.py FAULTS SIZES

FAULTS is 3 to 5, the number of faults at each call besides two more at a write; SIZES is 1 to 3, the number of
sizes of runs. After a call that failed, the command ends with one line that names a file of the run and exit code
2, or training goes on. After that, or after SIGKILL, every complete checkpoint is whole, the one before the save
included, and --resume comes to the end of a run that was never stopped.
"""

import errno
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import harness
import plants
import runs
import shim
from stopped import SIZES, Stopped


class Fault(NamedTuple):
    """Something that happens at the n-th call of a save."""

    name: str
    mode: int
    error: int = 0
    onward: bool = False


FAILURES = [Fault("ENOSPC", shim.FAIL, errno.ENOSPC), Fault("EIO", shim.FAIL, errno.EIO)]
OF_WRITES = [Fault("half written", shim.SHORT), Fault("killed halfway", shim.KILL_HALFWAY)]
OTHERS = [
    Fault("killed before", shim.KILL_BEFORE),
    Fault("killed after", shim.KILL_AFTER),
    Fault("ENOSPC from there on", shim.FAIL, errno.ENOSPC, True),
]


class Struck(NamedTuple):
    """Result of one fault: whether it fired, the command's exit code, and what was wrong."""

    fired: bool
    code: int
    wrong: str


def main(faults: int, sizes: int) -> None:
    """Strike each call of the save, at each size."""
    harness.warm()
    failed = False
    for size in list(SIZES)[:sizes]:
        with harness.folder() as work:
            failed |= not _all_survived(Stopped(work, size), size, faults)
    if failed:
        sys.exit(1)


def _all_survived(stopped: Stopped, size: str, faults: int) -> bool:
    jobs = [(n, fault) for n in range(1, stopped.size + 1) for fault in _faults(stopped, n, faults)]
    results = [Struck(*result) for result in harness.in_parallel(lambda job: strike(stopped, *job), jobs)]
    wrong = [f"{job[1].name} at call {job[0]}, {r.wrong}" for job, r in zip(jobs, results, strict=True) if r.wrong]
    print("".join(f"  {line[:300]}\n" for line in wrong[:20]), end="")
    fired, codes = sum(result.fired for result in results), Counter(result.code for result in results)
    ends = ", ".join(f"{count} ended with {code}" for code, count in sorted(codes.items()))
    halves = [(n, OF_WRITES[0]) for n in range(1, stopped.size + 1) if _is_write(stopped, n)]
    planted = harness.in_parallel(lambda job: strike(stopped, *job, plants.believe_writes), halves)
    caught = sum(bool(Struck(*result).wrong) for result in planted)
    print(
        f"calls of a save ({size}): {stopped.size} calls, {len(jobs)} faults, {fired} fired; {ends}; {len(wrong)} "
        f"did harm; where short writes are believed, {caught} of {len(halves)} do"
    )
    return not wrong and fired == len(jobs) and caught > 0


def _faults(stopped: Stopped, number: int, count: int) -> list[Fault]:
    """Choose the faults at a call: both failures, both halves of a write, and in turn some of the rest."""
    turn = number % len(OTHERS)
    halves = OF_WRITES if _is_write(stopped, number) else []
    return [*FAILURES, *OTHERS[turn:], *OTHERS[:turn]][:count] + halves


def _is_write(stopped: Stopped, number: int) -> bool:
    call = stopped.calls[stopped.first + number - 1]
    return call.kind == "write" and len(call.data) > 1


def strike(stopped: Stopped, number: int, fault: Fault, before: Callable[[], None] | None = None) -> Struck:
    """Resume with a fault at a call, then without."""
    cwd, device = stopped.copy(f"strike{number}{fault.name}"), shim.here(stopped.work)
    device.arm(fault.mode, cwd / "run", stopped.target, target=number, error=fault.error, onward=fault.onward)
    outcome = harness.run(["--resume", "run"], cwd, before=lambda: (harness.light(), before and before()))
    fired, place = device.disarm() > 0, device.fired_at().replace(str(cwd), "")
    wrong = _complaint(stopped, cwd, fault, outcome)
    shutil.rmtree(cwd)
    return Struck(fired, outcome.code, wrong and f"{place}: {wrong}")


def _complaint(stopped: Stopped, cwd: Path, fault: Fault, outcome: harness.Outcome) -> str:
    if fault.name.startswith("killed"):
        if outcome.code != -9:
            return f"exit code {outcome.code} instead of a kill"
    elif outcome.code and not (outcome.is_one_line and "run/" in outcome.stderr):
        return f"exit code {outcome.code}, ... {outcome.stderr[-200:]!r}"
    elif outcome.code and fault.mode == shim.SHORT:
        return f"a short write ended the run: {outcome.stderr!r}"
    if not stopped.has_checkpoint(cwd / "run"):
        return "the checkpoint before has changed"
    if damaged := runs.damaged(cwd / "run"):
        return f"damaged: {', '.join(damaged)}"
    again = harness.run(["--resume", "run"], cwd, before=harness.light)
    wrong = runs.verdict(again, stopped.expected, cwd / "run")
    return "; ".join(
        line for line in wrong if not line.startswith("checkpoints: ")
    )  # the struck one may be missing


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
