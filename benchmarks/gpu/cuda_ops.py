"""How fast are mixing and target on a GPU? Ours, eager PyTorch and torch.compile, all in CUDA graphs.

Float32 with TF32 off, embed 32, hypernetworks 2 x 64. `mixing`: the whole mixing network, forward and backward
for every parameter and the agents' values. `mix`: its fused operation alone, on weights that are given.
`td_target`: the masked maximum, double-Q, mixing and bootstrap alone; eager leaves out the check for agents
without an action, which would wait for the GPU. The floor is the largest of bytes over the bandwidth of a copy,
FLOPs over the rate of torch.mm, and the time of a graph of as many empty nodes: two for `mix`, one for
`td_target`, ten for `mixing` (eight products and the two fused kernels). torch.compile is compared for `mixing`,
where it tunes itself to the utmost (max-autotune) in the smallest shape, and is as it comes in the others.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import harness
import torch
from gpu.cuda_clock import Clock, GpuClock, copy_bandwidth, interleave, matrix_rate, node_seconds, rotation
from kernels import mixing
from torch import Tensor

from pyqmix import ops
from pyqmix.nn import QMixer
from pyqmix.ops import reference

SHAPES = ((1_600, 4, 72), (15_360, 8, 168), (15_360, 10, 322), (15_360, 27, 1170), (1_600, 2, 30))  # rows, n, S
ACTIONS = {2: 6, 4: 6, 8: 14, 10: 18, 27: 36}
EMBED, HYPERNET = mixing.EMBED, mixing.HYPERNET
TUNED = (1_600, 2, 30)  # to the utmost
Calls = dict[str, Sequence[Callable[[], object]]]


class Machine(NamedTuple):
    """What the floors are made of: bytes and FLOPs a second, seconds of an empty node."""

    bandwidth: float
    flops: float
    node: float

    def floor(self, moved_bytes: int, flops: int, nodes: int) -> float:
        """Seconds below which nothing that does so much can be."""
        return max(moved_bytes / self.bandwidth, flops / self.flops, nodes * self.node)


class Case(NamedTuple):
    """Candidates that were found to agree, and what the work needs."""

    calls: Calls
    moved_bytes: int
    flops: int
    nodes: int


def gradients(mixer: Callable[..., Tensor], inputs: Sequence[Tensor], weights: Sequence[Tensor]) -> list[Tensor]:
    """Compute q_tot and the gradients of its sum for the inputs that want one, and the weights."""
    q_tot = mixer(*inputs)
    wanted = [x for x in (*inputs, *weights) if x.requires_grad]
    return [q_tot.detach(), *torch.autograd.grad(q_tot.sum(), wanted)]


def plainly(function: Callable[..., list[Tensor]], *arguments: Any) -> list[Tensor]:
    """Call a function whose layers are torch's own."""
    with ops.use_backend("reference"):
        return function(*arguments)


def rotated(calls: dict[str, Callable[..., object]], inputs: Sequence[Sequence[Any]]) -> Calls:
    """Bind every candidate to every copy of the inputs."""
    return {name: [lambda f=f, x=x: f(*x) for x in inputs] for name, f in calls.items()}


def require_agreement(calls: Calls) -> None:
    """Require of the first inputs that every candidate gives what eager gives, to 2e-3 in relative L2."""
    results = {name: of_one[0]() for name, of_one in calls.items()}
    for name, result in results.items():
        for ours, truth in zip(_tensors(result), _tensors(results["eager"]), strict=True):
            away, size = float((ours - truth).norm()), float(truth.norm())
            if not away <= 2e-3 * size:
                sys.exit(
                    f"python benchmarks cuda: {name} differs from eager by {away} of {size}: nothing was timed"
                )


def _tensors(result: object) -> list[Tensor]:
    return [result] if isinstance(result, Tensor) else list(result)  # type: ignore[call-overload]


def mixing_case(clock: Clock, rows: int, n: int, state_dim: int) -> Case:
    """Build the whole mixing network."""
    torch.manual_seed(0)
    ours = QMixer(n, state_dim, EMBED, HYPERNET).to(clock.device)
    eager = mixing.EagerMixer(n, state_dim, EMBED, HYPERNET).to(clock.device)
    eager.load_state_dict(ours.state_dict())
    torch._dynamo.reset()  # max-autotune's own graphs would stand within ours
    mode = "max-autotune-no-cudagraphs" if (rows, n, state_dim) == TUNED else "default"
    compiled = torch.compile(eager, mode=mode)
    copies = rotation(clock, 4 * rows * (n + state_dim))
    draws = [torch.randn(rows, n + state_dim, device=clock.device).split([n, state_dim], 1) for _ in range(copies)]
    inputs = [(agent_qs.clone().requires_grad_(), states.clone()) for agent_qs, states in draws]
    of_ours, of_eager = list(ours.parameters()), list(eager.parameters())
    steps = {
        "ours": lambda *x: gradients(ours, x, of_ours),
        "eager": lambda *x: plainly(gradients, eager, x, of_eager),
        "compiled": lambda *x: gradients(compiled, x, of_eager),
    }
    wide, out = 2 * HYPERNET + 2 * EMBED, (n + 1) * EMBED
    products = 2 * rows * (2 * state_dim * wide + 3 * HYPERNET * out)
    states_and_weights = 4 * (rows * (state_dim + 2 * n + 1) + 3 * state_dim * wide + 3 * HYPERNET * out)
    return Case(rotated(steps, inputs), states_and_weights, products, 10)


def mix_inputs(clock: Clock, rows: int, n: int) -> list[Tensor]:
    """Draw what the fused operation takes."""
    shapes = ((rows, n), (rows, n * EMBED), (rows, EMBED), (rows, EMBED), (rows,))
    return [torch.randn(shape, device=clock.device).requires_grad_() for shape in shapes]


def mix_case(clock: Clock, rows: int, n: int) -> Case:
    """Build the fused operation alone: it reads its inputs twice, and writes their gradients once."""
    torch.manual_seed(0)
    of_inputs = 4 * rows * (n + n * EMBED + 2 * EMBED + 1)
    inputs = [mix_inputs(clock, rows, n) for _ in range(rotation(clock, of_inputs))]
    mixers = {"ours": ops.mix, "eager": reference.mix}
    steps = {name: lambda *x, mixer=mixer: gradients(mixer, x, ()) for name, mixer in mixers.items()}
    return Case(rotated(steps, inputs), 3 * of_inputs + 8 * rows, 0, 2)


def eager_target(
    next_qs: Tensor,
    avail: Tensor,
    rewards: Tensor,
    terminated: Tensor,
    gamma: float,
    w1: Tensor,
    b1: Tensor,
    w_final: Tensor,
    v: Tensor,
    online: Tensor,
) -> Tensor:
    """Compute the reference's target without its check for agents that have no action."""
    actions = torch.where(avail, online, torch.full_like(online, -torch.inf)).argmax(-1, keepdim=True)
    chosen = next_qs.gather(-1, actions).squeeze(-1)
    return torch.where(terminated, rewards, rewards + gamma * reference.mix(chosen, w1, b1, w_final, v))


def target_case(clock: Clock, rows: int, n: int, n_actions: int) -> Case:
    """Build the target, on weights that are given."""
    torch.manual_seed(0)
    of_weights, of_actions = 4 * rows * (n * EMBED + 2 * EMBED + 1), rows * n * n_actions
    moved = of_weights + 9 * of_actions + 9 * rows  # two values and a byte an action; reward, flag and target

    def draw() -> list[Any]:
        weights = [x.detach() for x in mix_inputs(clock, rows, n)[1:]]
        avail = torch.rand(rows, n, n_actions, device=clock.device) < 0.7
        avail[..., 0] = True
        next_qs, online = torch.randn(2, rows, n, n_actions, device=clock.device)
        terminated = torch.rand(rows, device=clock.device) < 0.05
        return [next_qs, avail, torch.randn(rows, device=clock.device), terminated, 0.99, *weights, online]

    inputs = [draw() for _ in range(rotation(clock, moved))]
    targets = {"ours": ops.td_target, "eager": eager_target}
    return Case(rotated(targets, inputs), moved, 0, 1)


def cases(clock: Clock, shapes: Sequence[tuple[int, int, int]]) -> dict[str, Callable[[], Case]]:
    """Name everything that is measured."""
    named: dict[str, Callable[[], Case]] = {}
    for rows, n, state_dim in shapes:
        actions = ACTIONS[n]
        named[f"mixing {rows} x ({n}, {state_dim})"] = partial(mixing_case, clock, rows, n, state_dim)
        named[f"mix {rows} x {n}"] = partial(mix_case, clock, rows, n)
        named[f"td_target {rows} x ({n}, A={actions})"] = partial(target_case, clock, rows, n, actions)
    return named


HEADER = ["what", "ours (µs)", "eager", "torch.compile", "floor", "eager/ours", "compiled/ours", "floor/ours"]


def measure(
    clock: Clock, shapes: Sequence[tuple[int, int, int]], repeats: int, size: int
) -> tuple[Machine, list[list[str]], dict[str, Any]]:
    """Measure the machine and every case; returns what :func:`main` writes."""
    machine = Machine(copy_bandwidth(clock), matrix_rate(clock, size), node_seconds(clock))
    lines, data = [], {}
    for label, build in cases(clock, shapes).items():
        case = build()
        require_agreement(case.calls)
        times = interleave(clock, case.calls, repeats)
        floor = machine.floor(case.moved_bytes, case.flops, case.nodes)
        ours, micro, ratios = times["ours"], [], []
        for name in ("ours", "eager", "compiled"):
            micro.append(f"{1e3 * times[name].median:.1f}" if name in times else "-")
            ratios.append(f"{harness.ratio(times[name], ours):.2f}" if name in times else "-")
        of_floor = f"{floor / (ours.median / 1e3):.2f}"
        lines.append([label, *micro, f"{1e6 * floor:.1f}", *ratios[1:], of_floor])
        data[label] = {
            "seconds": {name: timing.seconds for name, timing in times.items()},
            "floor": floor,
            "copies_of_inputs": len(case.calls["ours"]),
        }
        print("| " + " | ".join(lines[-1]) + " |", flush=True)
    ops.raise_late_errors()
    return machine, lines, data


def main() -> None:
    """Measure on the current GPU."""
    if not torch.cuda.is_available():
        sys.exit("python benchmarks cuda: no NVIDIA GPU was found: nothing was measured")
    ops.mix(*mix_inputs(GpuClock(), 1, 2))  # says what is wrong if this build has no kernels
    torch.backends.cuda.matmul.allow_tf32 = False
    machine, lines, data = measure(GpuClock(), SHAPES, harness.REPEATS, 8192)
    name = torch.cuda.get_device_name()
    text = (
        f"{name}: copy {machine.bandwidth / 1e12:.2f} TB/s, torch.mm in float32 "
        f"{machine.flops / 1e12:.1f} TFLOP/s, an empty node {1e6 * machine.node:.2f} µs.\n\n"
        "Medians of one call within a CUDA graph, inputs rotated beyond the L2 cache; ratios are medians over "
        f"rounds. torch.compile's mode is max-autotune for mixing {TUNED[0]} x {TUNED[1:]}, else the default.\n\n"
        + harness.table(HEADER, lines)
    )
    content = {"gpu": name, "machine_rates": machine._asdict(), "cases": data}
    harness.report("cuda", text, content, "python benchmarks cuda")
