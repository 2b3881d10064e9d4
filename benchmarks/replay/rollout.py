"""How fast are environments and episodes? Native Level-Based Foraging beside lbforaging, on one core.

Three questions: steps of a random policy, in whole native episodes and through the batched environment; whole
episodes of a policy, and where their time goes; and the training loop of the default preset, over
lbforaging in Python and natively.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import harness
import numpy as np
import torch
from gymnasium import spaces
from lbforaging.foraging.environment import ForagingEnv as Original

from pyqmix import EpisodeRing
from pyqmix.base.seeding import Stream
from pyqmix.config import from_preset
from pyqmix.envs import ForagingEnv, LbfEnv, NativeVectorEnv, make_env
from pyqmix.envs.lbf.rules import foraging_rules, observation_box, task_options
from pyqmix.learn.learner import Learner
from pyqmix.play.native import NativeRollout
from pyqmix.play.rollout import Rollout

TASKS = ("Foraging-8x8-2p-3f-v3", "Foraging-15x15-4p-5f-v3", "Foraging-grid-2s-8x8-2p-3f-v3")
ROUNDS, BATCH = 15, 1_024


class Board(Original):
    """The original; its grid observations need a space that exists."""

    def __init__(self, **options: Any) -> None:
        self._box = observation_box(foraging_rules(**options))
        super().__init__(**options)

    def _get_observation_space(self) -> spaces.Box:
        return self._box


def rate(steps: int, timing: harness.Timing) -> float:
    """Return steps per second at the median."""
    return steps / timing.median * 1e3


def check_equal(task: str) -> None:
    """Require that native and original show the same for some episodes."""
    native, original = ForagingEnv.of_task(task), Board(**task_options(task))
    random = np.random.default_rng(0)
    for seed in range(5):
        pairs, done = [(native.reset(seed=seed)[0], original.reset(seed=seed)[0])], False
        while not done:
            actions = random.integers(6, size=native.n_agents).tolist()
            (ours, rewards, done, *_), (theirs, expected, *_) = native.step(actions), original.step(actions)
            pairs.append((ours, theirs))
            assert rewards == [float(reward) for reward in expected]
        for pair in pairs:
            np.testing.assert_array_equal(*map(np.stack, pair))


def original_steps(task: str, steps: int) -> Callable[[], None]:
    """Random steps of the original, its actions drawn beforehand."""
    env = Board(**task_options(task))
    actions = np.random.default_rng(0).integers(6, size=(steps, env.n_agents)).tolist()
    env.reset(seed=0)

    def run() -> None:
        for joint in actions:
            if env.step(joint)[2]:
                env.reset()

    return run


def batched_steps(task: str, calls: int) -> Callable[[], None]:
    """Random steps through the batched environment."""
    env = LbfEnv(task, action_mask=False)
    envs = NativeVectorEnv(env, BATCH)
    actions = np.random.default_rng(0).integers(6, size=(calls, BATCH, env.spec.n_agents))
    envs.reset()

    def run() -> None:
        for joint in actions:
            envs.step(joint)

    return run


def native_rollout(env: LbfEnv, agent: Any, ring: EpisodeRing | None = None) -> NativeRollout:
    """Build a rollout of seed 0 on one thread."""
    return NativeRollout(env, agent, 0, Stream.ENVIRONMENT, ring)


def random_policy() -> tuple[list[list[str]], dict[str, Any]]:
    """Compare steps of a random policy, every action available."""
    rows, data = [], {}
    for task in TASKS:
        check_equal(task)
        env = LbfEnv(task, action_mask=False)
        rollout = native_rollout(env, Learner(env.spec, from_preset("none")).agent)
        episodes, steps, calls = 4_000, 300, 100
        played = rollout.play(0, episodes, 1.0).steps
        times = harness.interleave(
            {
                "original": original_steps(task, steps),
                "native": lambda rollout=rollout, episodes=episodes: rollout.play(0, episodes, 1.0),
                "batched": batched_steps(task, calls),
            },
            ROUNDS,
        )
        counts = {"original": steps, "native": played, "batched": calls * BATCH}
        rates = {name: rate(counts[name], timing) for name, timing in times.items()}
        ratios = {
            name: harness.ratio(times["original"], times[name]) * counts[name] / steps
            for name in ("native", "batched")
        }
        rows.append(
            [task, *(f"{rates[name]:,.0f}" for name in counts), *(f"{ratio:,.0f}" for ratio in ratios.values())]
        )
        data[task] = {"steps_per_second": rates, "ratio": ratios}
    return rows, data


def episodes_of_a_policy() -> tuple[list[list[str]], dict[str, Any]]:
    """Take the time of whole episodes apart: worlds and coins; and the policy; and the ring."""
    rows, data = [], {}
    peak = harness.matmul_peak()
    for task in TASKS[:2]:
        env = LbfEnv(task)
        spec = env.spec
        agent = Learner(spec, from_preset("none")).agent
        ring = EpisodeRing(spec, 5_000)
        without, within = native_rollout(env, agent), native_rollout(env, agent, ring)
        count = 2_000
        python = Rollout([LbfEnv(task)], agent, 0, Stream.ENVIRONMENT).play(0, 20, 0.05)
        assert python.returns.tolist() == without.play(0, 20, 0.05).returns.tolist()
        steps = {"worlds": without.play(0, count, 1.0).steps, "all": within.play(0, count, 0.05).steps}
        steps["policy"] = steps["all"]
        times = harness.interleave(
            {
                "worlds": lambda r=without, n=count: r.play(0, n, 1.0),
                "policy": lambda r=without, n=count: r.play(0, n, 0.05),
                "all": lambda r=within, n=count: r.play(0, n, 0.05),
            },
            ROUNDS,
        )
        ns = {name: timing.median * 1e6 / steps[name] for name, timing in times.items()}
        flops = 2 * spec.n_agents * (spec.obs_dim * 64 + 64 * 64 + 64 * spec.n_actions)
        share = flops / peak / ns["all"]
        rows.append(
            [
                task,
                f"{1e9 / ns['all']:,.0f}",
                f"{ns['all']:.0f}",
                f"{ns['worlds']:.0f}",
                f"{ns['policy'] - ns['worlds']:.0f}",
                f"{ns['all'] - ns['policy']:.0f}",
                f"{flops / peak:.0f}",
                f"{100 * share:.0f} %",
            ]
        )
        data[task] = {"ns_per_step": ns, "flops_per_step": flops, "share_of_peak": share}
    return rows, data


def training_loop(seconds: float = 8.0) -> tuple[list[list[str]], dict[str, Any]]:
    """Train in turns over lbforaging and natively; split the time into rollout, sampling and update."""
    config = from_preset("none", num_envs=8, batch_size=16)
    sides: dict[str, tuple[Any, Learner, EpisodeRing]] = {}
    for name, env_name in (("lbforaging in Python", "gymnasium"), ("native", "lbf")):
        task = TASKS[0]
        env = make_env(env_name, task=task)
        learner, ring = Learner(env.spec, config), EpisodeRing(env.spec, config.buffer_size)
        if isinstance(env, LbfEnv):
            rollout: Any = native_rollout(env, learner.agent, ring)
        else:
            envs = [make_env(env_name, task=task) for _ in range(config.num_envs)]
            rollout = Rollout(envs, learner.agent, 0, Stream.ENVIRONMENT, ring)
        sides[name] = rollout, learner, ring
    spent = {name: np.zeros(3) for name in sides}
    steps, episodes = dict.fromkeys(sides, 0), dict.fromkeys(sides, 0)
    samplers = {name: ring.sampler(0) for name, (_, _, ring) in sides.items()}
    while min(times.sum() for times in spent.values()) < seconds:
        for name, (rollout, learner, ring) in sides.items():
            start = time.perf_counter()
            played = rollout.play(episodes[name], config.num_envs, 0.5)
            marks = [start, time.perf_counter()]
            episodes[name] += config.num_envs
            if len(ring) < 4 * config.batch_size:
                continue
            steps[name] += played.steps
            spent[name][0] += marks[1] - marks[0]
            for _ in range(config.num_envs):
                start = time.perf_counter()
                batch = samplers[name].sample(config.batch_size)
                sampled = time.perf_counter()
                learner.update(batch)
                spent[name][1:] += sampled - start, time.perf_counter() - sampled
    rows, data = [], {}
    for name, times in spent.items():
        each = times / steps[name] * 1e6
        rows.append([name, f"{steps[name] / times.sum():,.0f}", *(f"{us:.1f}" for us in each)])
        data[name] = {"steps_per_second": steps[name] / times.sum(), "microseconds_per_step": each.tolist()}
    return rows, data


def main() -> None:
    """Answer the three questions."""
    torch.set_num_threads(1)
    random_rows, random_data = random_policy()
    policy_rows, policy_data = episodes_of_a_policy()
    loop_rows, loop_data = training_loop()
    text = "Random policy, environment steps/s: lbforaging 2.0.0; whole native episodes; "
    text += f"a batch of {BATCH:,} boards through Python.\n\n"
    header = ["task", "lbforaging", "native episodes", "batched", "native / lbforaging", "batched / lbforaging"]
    text += harness.table(header, random_rows)
    text += (
        "\nEpisodes of a 64-64 MLP into the ring, ε = 0.05, masks from the rules; ns for each environment step. "
    )
    text += "FLOPs: the policy's own, over torch.mm's peak; the share is of the whole.\n\n"
    header = ["task", "steps/s", "ns/step", "worlds, coins", "policy", "ring", "FLOPs / peak", "share"]
    text += harness.table(header, policy_rows)
    text += f"\nTraining {TASKS[0]}, 8 episodes and 8 updates of 16 episodes in turn; µs for each "
    text += "environment step.\n\n"
    text += harness.table(["environment", "steps/s", "rollout", "sample", "update"], loop_rows)
    data = {"random_policy": random_data, "policy": policy_data, "training": loop_data}
    harness.report("rollout", text, data, "python benchmarks rollout")
