"""SIGKILL of the trainer at random moments; resumed to its end, a run equals one that was never stopped.

    python kills.py KILLS [SEED]

Every second kill lands shortly after a checkpoint has begun to be written. Every eighth start is the installed
command itself instead of a fork.
"""

import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import harness
import plants
import runs

PER_RUN = 4
PLANTED = {"sampler": plants.forget_sampler, "due updates": plants.forget_due_updates}


class Result(NamedTuple):
    """Of one run: its kills, how many were inside of a checkpoint or before the first, and what was wrong."""

    kills: int
    inside: int
    early: int
    wrong: list[str]


def main(kills: int, seed: int) -> None:
    """Kill runs of each variant, then the same with faults planted."""
    harness.warm()
    harness.warm_workers()
    rounds = -(-kills // (PER_RUN * len(runs.VARIANTS)))
    jobs = [(name, f"{seed}-{number}") for number in range(rounds) for name in runs.VARIANTS]
    results = [Result(*result) for result in harness.in_parallel(lambda job: killed(*job), jobs)]
    for (variant, moments), result in zip(jobs, results, strict=True):
        for line in result.wrong[:3]:
            print(f"  {variant}, moments of seed {moments}: {line}")
    caught = sum(harness.in_parallel(lambda name: _is_caught(PLANTED[name], seed), list(PLANTED)))
    done, inside, early = (sum(column) for column in list(zip(*results, strict=True))[:3])
    wrong = sum(len(result.wrong) for result in results)
    print(
        f"kills: {done} of {len(jobs)} runs in {len(runs.VARIANTS)} variants (seed {seed}), {inside} while a "
        f"checkpoint was written, {early} before the first; {wrong} differences from runs never stopped; "
        f"faults planted in resume: {caught} of {len(PLANTED)} caught"
    )
    if wrong or not inside or caught < len(PLANTED):
        sys.exit(1)


def _is_caught(plant: Callable[[], None], seed: int) -> bool:
    """Whether a planted fault shows itself; a few kills do not always strike where it matters."""
    return any(killed("default", f"{seed}-planted{number}", plant).wrong for number in range(25))


def killed(variant: str, seed: str, before=None) -> Result:
    """Kill a run PER_RUN times, and finish it; ``before`` plants a fault into all but the run to compare with."""
    moments, arguments = random.Random(f"{variant} {seed}"), [*runs.VARIANTS[variant], "--run-dir", "run"]
    with harness.folder() as work:
        began = time.monotonic()
        expected = runs.reference(arguments, work)
        length, kills, inside, early, starts = time.monotonic() - began, 0, 0, 0, 0
        wrong: list[str] = []
        cwd = work
        while kills < PER_RUN:
            if (cwd / "run" / "summary.json").exists():  # it came to its end before its kill
                cwd = work / f"run{starts}"
                cwd.mkdir()
            starts += 1
            real = starts % 8 == 4
            child = harness.start(runs.again(arguments, cwd), cwd, before=before, real=real)
            if kills % 2:
                _wait_for_partial(cwd / "run", child)
                moment = moments.uniform(0, 0.01)
            else:
                moment = moments.uniform(0, 0.7 * length + 3 * real)
            if child.ended_within(moment):
                outcome = child.wait()
                wrong += runs.verdict(outcome, expected, cwd / "run")
                if outcome.code:
                    break
                continue
            child.kill()
            child.wait()
            kills += 1
            inside += any((cwd / "run").glob("checkpoints/*.partial"))
            early += not runs.complete(cwd / "run")
        else:
            wrong += runs.verdict(
                harness.run(runs.again(arguments, cwd), cwd, before=before), expected, cwd / "run"
            )
        return Result(kills, inside, early, wrong)


def _wait_for_partial(run_dir: Path, child: harness.Child) -> None:
    """Wait until one more checkpoint is being written, or the command ends."""
    old = set(run_dir.glob("checkpoints/*"))
    while not child.ended_within(0.0005):
        if any(path.name.endswith(".partial") for path in set(run_dir.glob("checkpoints/*")) - old):
            return


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
