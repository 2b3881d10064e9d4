"""Which device should act? Values of E episodes' agents, from observations in host memory to values there.

`CPU`: the agent in Python with one thread, as Python's environments are played. `captured`: on a GPU, both copies
and the forward pass as one CUDA graph. `plain`: the same operation by operation. Native episodes need neither:
`python benchmarks rollout` times them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import harness
import torch
from gpu.cuda_clock import Clock, GpuClock
from torch import Tensor
from training.train_parts import config_of

from pyqmix.learn.learner import Learner

SHAPES = (("mlp", 2, 64), ("gru", 2, 64), ("mlp", 4, 128))
EPISODES, REPEATS = (1, 8, 64, 512, 4096), 30
HEADER = ["agent, hidden, task", "episodes", "CPU (µs)", "captured", "plain", "CPU/captured", "CPU/plain"]


def candidates(clock: Clock, agent: str, n: int, hidden: int, episodes: int) -> dict[str, Callable[[], Tensor]]:
    """Build sides that return the same values (E, n, A) in host memory."""
    config = config_of(agent, n, hidden, "fused")
    spec = config.create_env().spec
    on_cpu, on_device = (Learner(spec, config, x).agent for x in (torch.device("cpu"), clock.device))
    obs = torch.randint(0, 8, (episodes, spec.n_agents, spec.obs_dim), dtype=torch.float32)
    hidden_on_cpu, hidden_on_device = (x.initial_hidden(episodes) for x in (on_cpu, on_device))
    pinned = clock.device.type == "cuda"
    host_obs = torch.empty(obs.shape, pin_memory=pinned)
    host_qs = torch.empty((episodes, spec.n_agents, spec.n_actions), pin_memory=pinned)
    device_obs = torch.empty(obs.shape, device=clock.device)

    def forward() -> None:
        device_obs.copy_(host_obs, non_blocking=True)
        host_qs.copy_(on_device.act(device_obs, hidden_on_device)[0], non_blocking=True)

    with torch.inference_mode():
        replay = clock.capture([forward])

    def cpu() -> Tensor:
        return on_cpu.act(obs, hidden_on_cpu)[0]

    def captured() -> Tensor:
        host_obs.copy_(obs)
        replay()
        if pinned:
            torch.cuda.current_stream().synchronize()
        return host_qs

    def plain() -> Tensor:
        return on_device.act(obs.to(clock.device), hidden_on_device)[0].cpu()

    return {"cpu": cpu, "captured": captured, "plain": plain}


@torch.inference_mode()
def measure(
    clock: Clock, shapes: Sequence[tuple[str, int, int]], counts: Sequence[int], repeats: int
) -> tuple[list[list[str]], dict[str, Any]]:
    """Measure every shape with every count of episodes; returns what :func:`main` writes."""
    rows, data = [], {}
    for agent, n, hidden in shapes:
        for episodes in counts:
            sides = candidates(clock, agent, n, hidden, episodes)
            truth = sides["cpu"]()
            for name, side in sides.items():
                torch.testing.assert_close(side(), truth, rtol=1e-2, atol=1e-2, msg=f"{name} acts otherwise")
            times = harness.interleave(sides, repeats)
            micro = [f"{1e3 * times[name].median:.0f}" for name in sides]
            ratios = [f"{harness.ratio(times['cpu'], times[name]):.2f}" for name in ("captured", "plain")]
            label = f"{agent} {hidden}, {n} agents"
            rows.append([label, str(episodes), *micro, *ratios])
            data[f"{label}, {episodes} episodes"] = {name: times[name].seconds for name in sides}
            print("| " + " | ".join(rows[-1]) + " |", flush=True)
    return rows, data


def main() -> None:
    """Measure on the current GPU, with one thread on the CPU."""
    if not torch.cuda.is_available():
        sys.exit("python benchmarks cuda_acting: no NVIDIA GPU was found: nothing was measured")
    torch.set_num_threads(1)
    rows, data = measure(GpuClock(), SHAPES, EPISODES, REPEATS)
    name = torch.cuda.get_device_name()
    text = f"{name}. One choice of actions for E episodes, medians; ratios over rounds.\n\n"
    content = {"gpu": name, "seconds": data}
    harness.report("cuda_acting", text + harness.table(HEADER, rows), content, "python benchmarks cuda_acting")
