"""How fast is a training step, and the whole loop? Ours, plain PyTorch, JAX, and the matrix products alone.

QMIX on Level-Based Foraging, batches of 32 episodes of 50 steps, float32, on one core. The floor is every product
that an update needs, through torch.mm with preallocated outputs: the agent network forward by the online and by
the target network and backward, the hypernetworks' three forward twice, and their five backward. JAX and the floor
leave out what ours computes beside (the online network at the last o'), and JAX finds its arrays laid out; ours
and plain PyTorch pack the batch. The whole loop plays an episode, then takes one training step.
"""

from __future__ import annotations

import copy
import os
import time
from typing import Any

import harness
import numpy as np
import torch
from training.train_parts import EPISODES, PARTS, STEPS, TASKS, Step, config_of, floor, full_ring, staged

from pyqmix import EpisodeRing
from pyqmix.base.seeding import Stream
from pyqmix.learn.learner import Learner
from pyqmix.play.create import create_rollout
from pyqmix.replay import EpisodeBatch

SHAPES = [(agent, n, hidden) for agent in ("mlp", "gru") for hidden in (64, 128) for n in TASKS]
REPEATS, LOOP_SECONDS, PEAK_SIZE = 15, 2.5, 512


def jax_step(learner: Learner, batch: Any) -> Step | None:
    """JAX's step from this learner's weights, after a check of values and gradients; None without JAX."""
    try:
        import jax
        import jax_update
    except ImportError:
        return None
    config = learner.config
    online, arrays = jax_update.parameters(learner), jax_update.time_major(batch)
    target = dict(online)
    loss, grads = jax.value_and_grad(jax_update.make_loss(config.agent, config.gamma))(online, target, arrays)
    our_loss = learner.loss(batch)[0]
    expected = our_loss.item()
    assert abs(float(loss) - expected) <= 1e-5 * expected
    ours = torch.autograd.grad(our_loss, learner.parameters)
    for name, grad in zip(online, ours, strict=True):
        theirs = torch.from_numpy(np.array(grads[name]))
        assert (theirs - grad).norm() <= 2e-3 * grad.norm() + 1e-7, name  # a ReLU's gate may turn with a rounding
    update = jax_update.make_update(config.agent, config.gamma, config.lr, config.grad_clip)
    states = [jax_update.initial_state(online)]

    def step() -> float:
        states[0], value = update(states[0], target, arrays)
        jax.block_until_ready(states[0])
        return float(value)

    twin = copy.deepcopy(learner)
    for _ in range(4):  # clipping and Adam too
        value, expected = step(), twin.update(batch).loss.item()
        assert abs(value - expected) <= 1e-3 * expected
    return step


def compare(agent: str, n: int, hidden: int) -> tuple[dict[str, harness.Timing], dict[str, list[float]]]:
    """Check that all agree, then time whole updates, the parts of ours, the floor and the peak in turns."""
    config = config_of(agent, n, hidden)
    spec = config.create_env().spec
    ring, learner = full_ring(spec), Learner(spec, config)
    batch = ring.sampler(0).sample(EPISODES)
    plain = copy.deepcopy(learner)
    plain.config = config_of(agent, n, hidden, "reference")
    in_parts, sampler, out = copy.deepcopy(learner), ring.sampler(0), EpisodeBatch.empty(spec, EPISODES)
    jaxs = jax_step(learner, batch)
    twins = [copy.deepcopy(x) for x in (learner, plain)]
    losses = [x.update(batch).loss for x in twins]
    torch.testing.assert_close(*losses, rtol=1e-5, atol=0)
    assert (twins[0].flat.block.grad - twins[1].flat.block.grad).norm() <= 2e-3 * twins[1].flat.block.grad.norm()
    for _ in staged(in_parts, sampler, out):
        pass
    assert torch.equal(in_parts.flat.block, twins[0].flat.block), "the parts are not those of Learner.update"
    parts: dict[str, list[float]] = {part: [] for part in PARTS}

    def in_turn() -> None:
        start = time.perf_counter()
        for part in staged(in_parts, sampler, out):
            now = time.perf_counter()
            parts[part].append(now - start)
            start = time.perf_counter()

    a, b, product = torch.randn(3, PEAK_SIZE, PEAK_SIZE)
    candidates: dict[str, Step] = {
        "ours": lambda: learner.update(batch),
        "reference": lambda: plain.update(batch),
        "floor": floor(agent, spec, hidden),
        "parts": in_turn,
        "peak": lambda: torch.mm(a, b, out=product),
    }
    if jaxs is not None:
        candidates["jax"] = jaxs
    return harness.interleave(candidates, REPEATS), parts


def loop(agent: str, n: int, hidden: int) -> dict[str, float]:
    """Play and train in turns by both backends; return steps per second and updates per step."""
    sides, steps, updates = {}, {}, 0
    for backend in ("fused", "reference"):
        config = config_of(agent, n, hidden, backend)
        spec = config.create_env().spec
        learner, ring = Learner(spec, config), EpisodeRing(spec, config.buffer_size)
        rollout = create_rollout(config, learner.agent, 0, Stream.ENVIRONMENT, 1, ring)
        for k in range(2 * EPISODES):
            rollout.play(k, 1, 0.5)
        sides[backend] = rollout, learner, ring.sampler(0), EpisodeBatch.empty(spec, EPISODES)
        steps[backend] = 0
    spent = dict.fromkeys(sides, 0.0)
    while sum(spent.values()) < LOOP_SECONDS:
        for backend, (rollout, learner, sampler, batch) in sides.items():
            start = time.perf_counter()
            steps[backend] += rollout.play(2 * EPISODES + updates, 1, 0.5).steps
            learner.update(sampler.sample(EPISODES, out=batch))
            spent[backend] += time.perf_counter() - start
        updates += 1
    for rollout, *_ in sides.values():
        rollout.close()
    rates = {backend: steps[backend] / spent[backend] for backend in sides}
    return {**rates, "updates_per_step": updates / steps["fused"]}


def main() -> None:
    """Time every shape on one core."""
    cores, threads = os.sched_getaffinity(0), torch.get_num_threads()
    os.sched_setaffinity(0, {max(cores)})  # JAX's threads too
    torch.set_num_threads(1)
    try:
        run()
    finally:
        os.sched_setaffinity(0, cores)
        torch.set_num_threads(threads)


def run() -> None:
    """Measure, then write."""
    whole, broken, loops, data, peaks, with_jax = [], [], [], {}, [], True
    for agent, n, hidden in SHAPES:
        label = f"{agent} {hidden}, {n} agents"
        times, parts = compare(agent, n, hidden)
        peaks.append(2 * PEAK_SIZE**3 / min(times["peak"].seconds) / 1e9)
        with_jax = "jax" in times
        names = ["ours", "reference", *(["jax"] if with_jax else []), "floor"]
        ratios = [harness.ratio(times[name], times["ours"]) for name in names[1:-1]]
        ratios.append(harness.ratio(times["ours"], times["floor"]))
        whole.append([label, *(str(times[name]) for name in names), *map("{:.2f}".format, ratios)])
        medians = {part: float(np.median(seconds)) * 1e3 for part, seconds in parts.items()}
        cells = (f"{medians[part]:.2f}" for part in PARTS)
        broken.append([label, *cells, f"{sum(medians.values()):.2f}"])
        rates = loop(agent, n, hidden)
        figures = (f"{rates[name]:,.0f}" for name in ("fused", "reference"))
        quotient = rates["fused"] / rates["reference"]
        loops.append([label, *figures, f"{quotient:.2f}", f"{rates['updates_per_step']:.4f}"])
        data[label] = {"update": {k: t.seconds for k, t in times.items()}, "parts": parts, "loop": rates}
        print(*whole[-1], "|", *loops[-1][1:], flush=True)
    other = ["JAX"] if with_jax else []
    header = ["agent, hidden, task", "ours (ms)", "reference", *other, "floor", "reference/ours"]
    header += [*(f"{name}/ours" for name in other), "ours/floor"]
    text = (
        f"Tasks: {', '.join(TASKS.values())}. Batch {EPISODES} x {STEPS}, one core; torch.mm {PEAK_SIZE} beside "
    )
    text += (
        f"them, best of each shape: {min(peaks):.0f}-{max(peaks):.0f} GFLOP/s. Ratios are medians over rounds.\n"
    )
    text += f"\nOne update, median (quartiles) in ms:\n\n{harness.table(header, whole)}"
    text += "" if with_jax else "\nJAX is not installed here: no comparison.\n"
    text += "\nWhere the time of one of ours goes, medians in ms:\n\n"
    text += harness.table(["", *PARTS, "sum"], broken)
    text += "\nWhole loop, an episode at epsilon 0.5 and then an update, environment steps/s:\n\n"
    text += harness.table(["", "ours", "reference", "ours/reference", "updates per env step"], loops)
    harness.report("train", text, {"shapes": data}, "python benchmarks train")
