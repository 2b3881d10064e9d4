"""A training step of ours in parts, its matrix products alone, and episodes for them; see ``train``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from kernels import gru, mixing

from pyqmix import Config, EpisodeRing
from pyqmix.learn.learner import Learner
from pyqmix.learn.optimizer import clipped_step
from pyqmix.replay import EpisodeBatch, EpisodeSampler

TASKS = {2: "Foraging-8x8-2p-3f-v3", 3: "Foraging-10x10-3p-3f-v3", 4: "Foraging-15x15-4p-5f-v3"}
EPISODES, STEPS = gru.EPISODES, gru.STEPS
PARTS = ("sample", "pack", "loss and gradients", "clip, optimizer")
Step = Callable[[], object]


def config_of(agent: str, n: int, hidden: int, backend: str = "fused") -> Config:
    """The published algorithm: one episode, then one training step on 32 episodes."""
    return Config(task=TASKS[n], agent=agent, hidden_dim=hidden, backend=backend, eps_end=0.05)


def full_ring(spec: Any) -> EpisodeRing:
    """Fill a ring with random episodes of full length."""
    ring, random = EpisodeRing(spec, 2 * EPISODES), np.random.default_rng(0)
    writer = ring.writer()

    def point() -> tuple[Any, Any, None]:
        obs = random.integers(0, 8, (spec.n_agents, spec.obs_dim)).astype(np.float32)
        avail = random.random((spec.n_agents, spec.n_actions)) < 0.7
        avail[:, 0] = True
        return obs, avail, None

    for _ in range(EPISODES + EPISODES // 2):
        with writer.episode() as slot:
            slot.begin(*point())
            for t in range(STEPS):
                actions = random.integers(0, spec.n_actions, spec.n_agents)
                slot.append(actions, float(random.random() < 0.1), t == STEPS - 1, *point())
    return ring


def staged(learner: Learner, sampler: EpisodeSampler, memory: EpisodeBatch) -> Iterator[str]:
    """Take a training step as a run does, and stop behind each of PARTS that it has, with its name."""
    batch = sampler.sample(EPISODES, out=memory)
    yield "sample"
    rows, rewards, weights = learner._prepare(learner._inputs(batch), learner.step)
    yield "pack"
    learner.step.gradients(rows, rewards, weights)
    yield "loss and gradients"
    clipped_step(learner.optimizer, learner.flat, learner.config.grad_clip)
    yield "clip, optimizer"


def floor(agent: str, spec: Any, hidden: int) -> Step:
    """The matrix products alone."""
    rows, n = EPISODES * STEPS, spec.n_agents
    wide, narrow = (spec.obs_dim, hidden), (hidden, spec.n_actions)
    layers = [wide, narrow] if agent == "gru" else [wide, (hidden, hidden), narrow]
    products = []
    for i, (width, out) in enumerate(layers):
        inputs, weight, grads = torch.randn(rows * n, width), torch.randn(width, out), torch.randn(rows * n, out)
        products += [(inputs, weight, torch.empty_like(grads))] * 2  # online and target
        products.append((inputs.T, grads, torch.empty_like(weight)))
        if i > 0:
            products.append((grads, weight.T, torch.empty_like(inputs)))
    others = [mixing.floor(rows, n, spec.state_dim, backward) for backward in (True, False)]
    if agent == "gru":
        others += [gru.floor(EPISODES * n, hidden, backward) for backward in (True, False)]

    def run() -> None:
        for a, b, out in products:
            torch.mm(a, b, out=out)
        for other in others:
            other()

    return run
