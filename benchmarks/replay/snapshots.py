"""What do snapshots of battles cost when a batch is sampled, and how much memory do they save?

Each map's episodes, of a policy that acts at random, lie in a ring of snapshots and in one of observations and
states. The batches are checked to be equal, bit for bit.
"""

from __future__ import annotations

import dataclasses
from functools import partial

import harness
import torch

from pyqmix import Config, EpisodeRing
from pyqmix.base.seeding import Stream
from pyqmix.base.spec import EpisodeSpec
from pyqmix.envs.smax import MAPS, SmaxEnv
from pyqmix.learn.learner import Learner
from pyqmix.play.native import NativeRollout
from pyqmix.replay import ring_bytes
from pyqmix.replay.batch_memory import BatchMemory

BATCH, EPISODES = 32, 64


def episode_bytes(spec: EpisodeSpec) -> int:
    """Return the bytes of one slot."""
    return ring_bytes(spec, 2) - ring_bytes(spec, 1)


def compare(task: str) -> tuple[list[str], dict[str, object]]:
    """Measure one map: a row of the table, and what it was made from."""
    env = SmaxEnv(task)
    specs = {"snapshots": env.spec, "observations": dataclasses.replace(env.spec, snapshot=None)}
    agent = Learner(env.spec, Config(env="smax", task=task)).agent
    rings = {name: EpisodeRing(spec, EPISODES) for name, spec in specs.items()}
    for ring in rings.values():
        played = NativeRollout(env, agent, 0, Stream.ENVIRONMENT, ring).play(0, EPISODES, 1.0)
    samplers = {name: ring.sampler(0) for name, ring in rings.items()}
    memories = {name: BatchMemory(spec, BATCH, torch.device("cpu")) for name, spec in specs.items()}
    drawn = [samplers[name].sample(BATCH, memories[name]).tensors().values() for name in specs]
    if any(ours.numpy().tobytes() != theirs.numpy().tobytes() for ours, theirs in zip(*drawn, strict=True)):
        raise AssertionError(f"{task}: the batches differ")
    times = harness.interleave({name: partial(samplers[name].sample, BATCH, memories[name]) for name in specs})
    sizes = {name: episode_bytes(spec) for name, spec in specs.items()}
    of_both = [f"{sizes['observations']:,}", f"{sizes['snapshots']:,}"]
    steps = played.steps / EPISODES
    row = [task, *of_both, f"{steps:.0f}", *(str(times[name]) for name in ("observations", "snapshots"))]
    return row, {"bytes": sizes, "steps": steps, "seconds": {name: t.seconds for name, t in times.items()}}


def main() -> None:
    """Measure every map."""
    torch.set_num_threads(1)
    found = {task: compare(task) for task in MAPS}
    header = ["map", "bytes: observations", "snapshots", "steps", "ms: observations", "snapshots"]
    text = f"Bytes of an episode's slot, mean steps of an episode, and times to sample {BATCH} of {EPISODES}.\n\n"
    text += harness.table(header, [row for row, _ in found.values()])
    data = {task: measured for task, (_, measured) in found.items()}
    harness.report("snapshots", text, data, "python benchmarks snapshots")
