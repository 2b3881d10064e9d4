"""What do killed processes do to a replay buffer? The ring, cpprb's MPReplayBuffer, and bare shared memory.

The same trial for each (see killing.py): four writers and one sampler, as cpprb is made for one learner; episodes
of Level-Based Foraging's size; one process at a time killed with SIGKILL at a random moment, and replaced. A
buffer that hangs is given up for a new one. Before, the same without kills.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import harness
import numpy as np
import torch
from cpprb import MPReplayBuffer
from replay.killing import BATCH, CAPACITY, CONTEXT, OBS, REWARDS, WRITERS, Bare, Floats, Outcome, Ring, trial

BUFFERS, KILLS, PATIENCE, CALM = 12, 50, 5.0, 5.0


class Cpprb:
    """cpprb's buffer for several processes, with the locks that it brings; one element for each episode."""

    def __init__(self) -> None:
        fields = {"obs": {"shape": OBS, "dtype": np.float32}, "rewards": {"shape": REWARDS, "dtype": np.float32}}
        self.buffer = MPReplayBuffer(CAPACITY, fields, ctx=CONTEXT)

    def adder(self) -> Callable[[float], object]:
        """Add whole episodes."""
        obs, rewards = np.empty(OBS, np.float32), np.empty(REWARDS, np.float32)

        def add(number: float) -> None:
            obs.fill(number)
            rewards.fill(number)
            self.buffer.add(obs=obs, rewards=rewards)

        return add

    def sampler(self) -> Callable[[], tuple[Floats, Floats]]:
        """Sample batches."""

        def sample() -> tuple[Floats, Floats]:
            batch = self.buffer.sample(BATCH)
            return batch["obs"], batch["rewards"]

        return sample


CANDIDATES = {"ring": Ring, "cpprb MPReplayBuffer": Cpprb, "bare shared memory": Bare}


def row(name: str, outcomes: list[Outcome]) -> list[str]:
    """One line of the table."""
    batches, torn = sum(o.batches for o in outcomes), sum(o.torn for o in outcomes)
    kills = sum(o.kills for o in outcomes)
    hangs = [o for o in outcomes if o.hung]
    until = f"{np.median([o.kills for o in hangs]):.0f}" if hangs else "-"
    counts = [len(hangs), sum(o.writable for o in outcomes), sum(o.readable for o in outcomes)]
    hung, writable, readable = (f"{count} of {len(outcomes)}" for count in counts)
    return [name, f"{kills:,}", f"{batches:,}", f"{torn:,}", hung, until, writable, readable]


def main() -> None:
    """Kill, count, write."""
    torch.set_num_threads(1)
    data, rows, calm = {}, [], []
    for name, make in CANDIDATES.items():
        quiet = trial(make, 0, 0, PATIENCE, CALM)
        outcomes = [trial(make, KILLS, seed, PATIENCE) for seed in range(BUFFERS)]
        calm.append([name, f"{quiet.batches:,}", f"{quiet.torn:,}"])
        rows.append(row(name, outcomes))
        data[name] = {"without_kills": asdict(quiet), "outcomes": [asdict(outcome) for outcome in outcomes]}
        print(*rows[-1], flush=True)
    assert sum(o["torn"] for o in data["bare shared memory"]["outcomes"]) > 0, "the check sees no torn episode"
    hung = [o["hung"] for o in data["cpprb MPReplayBuffer"]["outcomes"] if o["hung"]]
    text = (
        f"{WRITERS} writers and a sampler of batches of {BATCH}, {CAPACITY:,} slots of LBF size; {BUFFERS} "
        f"buffers each, up to {KILLS} kills of a buffer. It hangs when one of its processes gets nothing done for "
        f"{PATIENCE:.0f} s after a kill. Afterwards, when all are dead: can a new process add, and another one "
        "sample?\n\n"
    )
    header = ["", "kills", "batches", "torn episodes", "hung", "kills until then", "can add", "can sample"]
    text += harness.table(header, rows)
    text += (
        f"\ncpprb hung {hung.count('writer')} times at a writer's death, {hung.count('sampler')} times at the "
        f"sampler's. Without kills, {CALM:.0f} s:\n\n"
    )
    text += harness.table(["", "batches", "torn episodes"], calm)
    harness.report("ring_kill", text, data, "python benchmarks ring_kill")


if __name__ == "__main__":
    main()
