"""How fast is the mixer? Ours, eager PyTorch, torch.compile, and the matrix products alone.

Forward and backward of the whole mixing network (embed 32, hypernetworks 2 x 64) in float32, with gradients
for every parameter and for the agents' values. The floor is the products that the mathematics needs, through
torch.mm with preallocated outputs: three forward on stacked weights, five backward.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict

import harness
import torch
from torch import Tensor, nn

from pyqmix.nn import QMixer
from pyqmix.ops import reference

SHAPES = {  # rows = batch x time, agents, width of the state
    "LBF 8x8-2p": (1600, 2, 30),
    "LBF 15x15-4p": (1600, 4, 72),
    "SMAC 8m": (3840, 8, 168),
    "SMAC MMM2": (3840, 10, 322),
    "SMAC 27m": (3840, 27, 1170),
}
EMBED, HYPERNET = 32, 64


class EagerMixer(QMixer):
    """The same network with its mixing in plain PyTorch."""

    def forward(self, agent_qs: Tensor, states: Tensor) -> Tensor:
        """Mix agent_qs (..., n) under states (..., S) into q_tot (...)."""
        return reference.mix(agent_qs, *self.hypernetworks(states))


def step(mixer: Callable[[Tensor, Tensor], Tensor], module: nn.Module, agent_qs: Tensor, states: Tensor) -> Tensor:
    """One forward and backward."""
    module.zero_grad(set_to_none=True)
    agent_qs.grad = None
    q_tot = mixer(agent_qs, states)
    q_tot.sum().backward()
    return q_tot


def floor(rows: int, n: int, state_dim: int) -> Callable[[], None]:
    """The matrix products alone: 3 forward, 5 backward (the states need no gradient)."""
    wide = 2 * HYPERNET + 2 * EMBED
    states, first, grad_first = torch.randn(rows, state_dim), torch.empty(rows, wide), torch.randn(rows, wide)
    weights = torch.randn(state_dim, wide)
    hidden = torch.randn(rows, HYPERNET)
    heads = [(torch.randn(HYPERNET, out), torch.randn(rows, out)) for out in (n * EMBED, EMBED)]
    grads = [(torch.empty_like(w), torch.empty_like(hidden), torch.empty_like(g)) for w, g in heads]
    grad_weights = torch.empty_like(weights)

    def products() -> None:
        torch.mm(states, weights, out=first)
        for (w, g), (grad_w, grad_hidden, out) in zip(heads, grads, strict=True):
            torch.mm(hidden, w, out=out)
            torch.mm(hidden.T, g, out=grad_w)
            torch.mm(g, w.T, out=grad_hidden)
        torch.mm(states.T, grad_first, out=grad_weights)

    return products


def compare(rows: int, n: int, state_dim: int) -> tuple[dict[str, harness.Timing], float]:
    """Check that all agree, then time them; also returns the seconds that torch.compile took."""
    torch.manual_seed(0)
    ours = QMixer(n, state_dim, EMBED, HYPERNET)
    eager = EagerMixer(n, state_dim, EMBED, HYPERNET)
    eager.load_state_dict(ours.state_dict())
    states = torch.randn(rows, state_dim)
    qs, eager_qs = (torch.randn(rows, n, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    qs.requires_grad_()
    eager_qs.requires_grad_()
    torch._dynamo.reset()
    compiled = torch.compile(eager)
    start = time.perf_counter()
    step(compiled, eager, eager_qs, states)
    compile_seconds = time.perf_counter() - start
    compiled_grad = eager_qs.grad
    torch.testing.assert_close(step(ours, ours, qs, states), step(eager, eager, eager_qs, states))
    torch.testing.assert_close(qs.grad, eager_qs.grad)
    torch.testing.assert_close(compiled_grad, eager_qs.grad)
    for a, b in zip(ours.parameters(), eager.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-3)
    candidates: dict[str, Callable[[], object]] = {
        "ours": lambda: step(ours, ours, qs, states),
        "eager": lambda: step(eager, eager, eager_qs, states),
        "compiled": lambda: step(compiled, eager, eager_qs, states),
        "floor": floor(rows, n, state_dim),
    }
    return harness.interleave(candidates), compile_seconds


def main() -> None:
    """Time every shape on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rows, data, medians = [], {}, {name: [] for name in ("ours", "eager", "compiled", "floor")}
    for label, shape in SHAPES.items():
        times, compile_seconds = compare(*shape)
        for name, timing in times.items():
            medians[name].append(timing.median)
        ours = times["ours"]
        rows.append(
            [
                f"{label}: {shape[0]}, {shape[1]}, {shape[2]}",
                *(str(times[name]) for name in ("ours", "eager", "compiled", "floor")),
                f"{harness.ratio(times['eager'], ours):.2f}",
                f"{harness.ratio(times['compiled'], ours):.2f}",
                f"{harness.ratio(times['floor'], ours):.2f}",
                f"{compile_seconds:.0f}",
            ]
        )
        data[label] = {"shape": shape, "compile_seconds": compile_seconds} | {
            k: asdict(t) for k, t in times.items()
        }
    header = ["rows, n, S", "ours (ms)", "eager", "torch.compile", "floor", "eager/ours", "compiled/ours"]
    header += ["floor/ours", "compiling (s)"]
    text = "Forward and backward; median (quartiles) in ms; ratios are medians over rounds.\n\n"
    harness.report("mixing", text + harness.table(header, rows), {"shapes": data}, "python benchmarks mixing")
    harness.bars("mixing", list(SHAPES), medians, "forward + backward (ms)")
    torch.set_num_threads(threads)
