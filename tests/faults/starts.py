"""Many simultaneous starts on one run folder: one trains, the others are refused.

    python starts.py TIMES [SEED]

Each time twelve processes wait for one moment, and then start on a folder that is new, or resume the same stopped
run; then the same is tried on a run that is alive. At the end the folder holds the files of a run that was alone.
"""

import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import harness
import plants
import runs

STARTS = 12
PLANTED_TRIES = 5
# Long enough for the last start of a new run to meet a live one.
LONG = ["--total-steps", "6000", "--checkpoint-every", "500", "--eval-every", "1000"]
ARGUMENTS = [*runs.LBF, *LONG, "--run-dir", "run"]
RESUME = ["--resume", "run"]
WAYS = ("new", "stopped", "alive")


def main(times: int, seed: int) -> None:
    """Start together, TIMES times each way, then with the lock left out."""
    harness.warm()
    with harness.folder() as work:
        expected = prepare(work)
        jobs = [(way, f"{seed}-{n}") for n in range(times) for way in WAYS]
        wrong = [together(work, expected, *job) for job in jobs]
        planted = [_planted(work, expected, way) for way in WAYS]
    for (way, number), complaint in zip(jobs, wrong, strict=True):
        if complaint:
            print(f"  {way} folder, time {number}: {complaint[:300]}")
    harmed, caught = sum(map(bool, wrong)), sum(map(bool, planted))
    print(
        f"starts: {times} times {STARTS} on a new folder, on a stopped run and on a live one; {harmed} times not "
        f"one alone trained, or its run was harmed; without the lock {caught} of {len(WAYS)}"
    )
    if harmed or caught < len(WAYS):
        sys.exit(1)


def _planted(work: Path, expected: dict[str, object], way: str) -> str:
    """Leave out the lock until that is seen: a busy machine may start the processes one after another."""
    tries = (together(work, expected, way, f"planted{n}", plants.leave_out_lock) for n in range(PLANTED_TRIES))
    return next(filter(None, tries), "")


def prepare(work: Path) -> dict[str, object]:
    """Make a stopped run in ``work/stopped``; return the content of the whole one."""
    (work / "whole").mkdir()
    expected = runs.reference(ARGUMENTS, work / "whole")
    (work / "stopped").mkdir()
    child = harness.start(ARGUMENTS, work / "stopped")
    while not child.ended_within(0.001):
        if len(runs.complete(work / "stopped" / "run")) > 1:
            break
    child.kill()
    assert child.wait().code == -signal.SIGKILL, "the run was not stopped"
    return expected


def together(work: Path, expected: dict[str, object], way: str, number: str, before=None) -> str:
    """Start twelve processes at one moment on a folder; say what is wrong."""
    cwd = work / f"{way}{number}"
    if way == "new":
        cwd.mkdir()
    else:
        shutil.copytree(work / "stopped", cwd)
    arguments = [ARGUMENTS if way == "new" else RESUME] * STARTS
    if way == "alive":
        arguments = random.Random(number).choices([ARGUMENTS, RESUME], k=STARTS)
        first = harness.start(RESUME, cwd, name="first", before=before)
        _wait_for_training(cwd / "run", first)
        os.kill(first.pid, signal.SIGSTOP)  # it is alive until all others have been refused
    gate, opener = os.pipe()
    children = []
    for index, each in enumerate(arguments):

        def wait_for_the_moment() -> None:
            os.close(opener)
            os.read(gate, 1)
            if before is not None:
                before()

        children.append(harness.start(each, cwd, name=f"log{index}", before=wait_for_the_moment))
    os.close(gate)
    os.close(opener)
    outcomes = [child.wait() for child in children]
    if way == "alive":
        os.kill(first.pid, signal.SIGCONT)
        outcomes.append(first.wait())
    wrong = _complaint(expected, cwd, outcomes)
    shutil.rmtree(cwd)
    return wrong


def _wait_for_training(run_dir: Path, child: harness.Child) -> None:
    before = set(run_dir.glob("checkpoints/*"))
    while not child.ended_within(0.001) and set(run_dir.glob("checkpoints/*")) == before:
        time.sleep(0)


def _complaint(expected: dict, cwd: Path, outcomes: list[harness.Outcome]) -> str:
    trained = sum(outcome.code == 0 for outcome in outcomes)
    refused = sum(outcome.is_one_line for outcome in outcomes)
    if trained != 1 or refused != len(outcomes) - 1:
        odd = [outcome.stderr[-150:] for outcome in outcomes if outcome.code and not outcome.is_one_line]
        return f"{trained} trained and {refused} of {len(outcomes)} were refused; {odd[:1]}"
    return "; ".join(runs.differences(expected, cwd / "run"))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
