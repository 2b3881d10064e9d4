"""Many simultaneous starts on one run folder: one trains, the others are refused.

    python starts.py TIMES [SEED]

Each time twelve processes wait for one moment, and then start on a folder that is new, or resume the same stopped
run; then the same is tried on a run that is alive. Afterwards the folder holds the files of one run that was alone.
"""

import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import harness
import runs

STARTS = 12
ARGUMENTS = [*runs.LBF, "--run-dir", "run"]
RESUME = ["--resume", "run"]


def main(times: int, seed: int) -> None:
    """Start together, TIMES times each way, then with the lock left out."""
    harness.warm()
    with harness.folder() as work:
        expected = prepare(work)
        jobs = [(way, f"{seed}-{n}") for n in range(times) for way in ("new", "stopped", "alive")]
        wrong = harness.in_parallel(lambda job: together(work, expected, *job), jobs)
    for (way, number), complaint in zip(jobs, wrong, strict=True):
        if complaint:
            print(f"  {way} folder, time {number}: {complaint[:300]}")
    harmed = sum(map(bool, wrong))
    print(
        f"starts: {times} times {STARTS} on a new folder, on a stopped run and on a live one; "
        f"{harmed} times not exactly one trained, or its run was harmed"
    )
    if harmed:
        sys.exit(1)


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
        outcomes.append(first.wait())
    wrong = _complaint(expected, cwd, outcomes, resumed=way != "new")
    shutil.rmtree(cwd)
    return wrong


def _wait_for_training(run_dir: Path, child: harness.Child) -> None:
    before = set(run_dir.glob("checkpoints/*"))
    while not child.ended_within(0.001) and set(run_dir.glob("checkpoints/*")) == before:
        time.sleep(0)


def _complaint(expected: dict, cwd: Path, outcomes: list[harness.Outcome], resumed: bool) -> str:
    trained = [outcome for outcome in outcomes if outcome.code == 0]
    refused = [outcome for outcome in outcomes if outcome.is_one_line]
    finished = len(trained) + len(refused) == len(outcomes)
    if resumed and finished and len(trained) > 1:  # one of them came when the run had ended, and had nothing to do
        trained = [outcome for outcome in trained if "resumed at step" in outcome.stdout]
    if not finished or not trained:
        odd = [outcome for outcome in outcomes if outcome not in trained and outcome not in refused]
        last = odd[0].stderr[-150:] if odd else ""
        return f"{len(trained)} trained and {len(refused)} were refused of {len(outcomes)}; {last!r}"
    if len(trained) > 1 and not resumed:
        return f"{len(trained)} trained"
    return "; ".join(runs.differences(expected, cwd / "run"))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
