"""How fast is the mixing network? Ours, eager PyTorch, torch.compile, and the matrix products alone.

The whole of it (embed 32, hypernetworks 2 x 64) in float32: forward and backward, with gradients for every
parameter and for the agents' values; the same with the loss in one pass, which is what training takes; and the
forward alone, without gradients. The floor is the products that
the mathematics needs, through torch.mm with preallocated outputs: three forward on stacked weights, five
backward. TorchRL's mixer, which has hypernetworks of one layer, is compared with ours of one layer.
"""

from __future__ import annotations

import importlib
import time
import warnings
from collections.abc import Callable
from typing import Any

import harness
import torch
from torch import Tensor, nn

from pyqmix.nn import QMixer
from pyqmix.ops import reference

SIZES = {  # agents, width of the state
    "LBF 8x8-2p": (2, 30),
    "LBF 15x15-4p": (4, 72),
    "SMAC 8m": (8, 168),
    "SMAC MMM2": (10, 322),
    "SMAC 27m": (27, 1170),
}
ROWS = (1_600, 15_360)
EMBED, HYPERNET, REPEATS = 32, 64, 30
Step = Callable[[], object]


class EagerMixer(QMixer):
    """The same network in plain PyTorch."""

    def forward(self, agent_qs: Tensor, states: Tensor) -> Tensor:
        """Mix agent_qs (..., n) under states (..., S) into q_tot (...)."""
        return reference.mix(agent_qs, *self.hypernetworks(states))

    def loss(self, agent_qs: Tensor, states: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the weighted squared error () of q_tot, and q_tot (...)."""
        q_tot = self(agent_qs, states)
        return ((targets - q_tot).square() * weights).sum(), q_tot


def training_step(mixer: Callable[..., Tensor], module: nn.Module, agent_qs: Tensor, states: Tensor) -> Step:
    """One forward and backward."""

    def step() -> Tensor:
        module.zero_grad(set_to_none=True)
        agent_qs.grad = None
        q_tot = mixer(agent_qs, states)
        q_tot.sum().backward()
        return q_tot

    return step


def loss_step(mixer: QMixer, agent_qs: Tensor, states: Tensor, targets: Tensor, weights: Tensor) -> Step:
    """One weighted squared error and its gradients, as a training step takes them."""

    def step() -> Tensor:
        mixer.zero_grad(set_to_none=True)
        agent_qs.grad = None
        loss, _ = mixer.loss(agent_qs, states, targets, weights)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    return step


def forward_step(mixer: Callable[..., Tensor], agent_qs: Tensor, states: Tensor) -> Step:
    """One forward without gradients."""

    def step() -> Tensor:
        with torch.no_grad():
            return mixer(agent_qs, states)

    return step


def floor(rows: int, n: int, state_dim: int, backward: bool) -> Step:
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
            if backward:
                torch.mm(hidden.T, g, out=grad_w)
                torch.mm(g, w.T, out=grad_hidden)
        if backward:
            torch.mm(states.T, grad_first, out=grad_weights)

    return products


def kept_bytes(step: Step) -> int:
    """Count what autograd keeps between forward and backward, parameters and inputs aside."""
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        if not tensor.is_leaf:
            storage = tensor.untyped_storage()
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        step()
    return sum(kept.values())


def inputs(rows: int, n: int, state_dim: int) -> tuple[Tensor, Tensor]:
    """Draw the agents' values and the states."""
    torch.manual_seed(1)
    return torch.randn(rows, n).requires_grad_(), torch.randn(rows, state_dim)


def check(ours: QMixer, others: dict[str, tuple[Callable[..., Tensor], nn.Module]], rows: int) -> None:
    """Require the same values and gradients."""
    agent_qs, states = inputs(rows, ours.n_agents, ours.state_dim)
    expected = training_step(ours, ours, agent_qs, states)()
    grad = agent_qs.grad
    assert grad is not None
    for mixer, module in others.values():
        torch.testing.assert_close(training_step(mixer, module, agent_qs, states)().flatten(), expected)
        torch.testing.assert_close(agent_qs.grad, grad)
        for a, b in zip(ours.parameters(), module.parameters(), strict=True):
            assert (a.grad - b.grad).norm() <= 2e-3 * b.grad.norm()  # a ReLU's gate may turn with a rounding


def compare(rows: int, n: int, state_dim: int) -> dict[str, Any]:
    """Check that all agree, then time them."""
    torch.manual_seed(0)
    ours = QMixer(n, state_dim, EMBED, HYPERNET)
    eager = EagerMixer(n, state_dim, EMBED, HYPERNET)
    eager.load_state_dict(ours.state_dict())
    torch._dynamo.reset()
    compiled = torch.compile(eager)
    agent_qs, states = inputs(rows, n, state_dim)
    start = time.perf_counter()
    training_step(compiled, eager, agent_qs, states)()
    compile_seconds = time.perf_counter() - start
    mixers = {"eager": (eager, eager), "compiled": (compiled, eager)}
    check(ours, mixers, rows)
    steps = {name: training_step(*mixer, agent_qs, states) for name, mixer in mixers.items()}
    training = {"ours": training_step(ours, ours, agent_qs, states), **steps}
    training["floor"] = floor(rows, n, state_dim, backward=True)
    targets, weights = torch.randn(rows), torch.rand(rows) / rows
    loss = {
        name: loss_step(mixer, agent_qs, states, targets, weights)
        for name, mixer in (("ours", ours), ("eager", eager))
    }
    torch.testing.assert_close(loss["ours"](), loss["eager"]())
    loss["floor"] = training["floor"]
    forward = {"ours": forward_step(ours, agent_qs, states)}
    forward |= {name: forward_step(mixer, agent_qs, states) for name, (mixer, _) in mixers.items()}
    forward["floor"] = floor(rows, n, state_dim, backward=False)
    activations = ours(agent_qs, states).grad_fn.activations.nbytes
    return {
        "training": harness.interleave(training, REPEATS),
        "forward": harness.interleave(forward, REPEATS),
        "loss": harness.interleave(loss, REPEATS),
        "compile_seconds": compile_seconds,
        "kept": {"ours": activations, "eager": kept_bytes(lambda: eager(agent_qs, states))},
    }


def torchrl_mixer(n: int, state_dim: int, ours: QMixer) -> tuple[Callable[..., Tensor], nn.Module] | None:
    """TorchRL's mixer with our parameters, where it is installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            modules = importlib.import_module("torchrl.modules")
    except ImportError:
        return None
    mixer = modules.QMixer(state_shape=(state_dim,), mixing_embed_dim=EMBED, n_agents=n, device="cpu")
    mixer.load_state_dict(ours.state_dict())
    return lambda agent_qs, states: mixer(agent_qs.unsqueeze(-1), states).squeeze(-1), mixer


def compare_torchrl(rows: int, n: int, state_dim: int) -> dict[str, harness.Timing] | None:
    """Time hypernetworks of one layer, ours and TorchRL's."""
    ours = QMixer(n, state_dim, EMBED, hypernet_layers=1)
    theirs = torchrl_mixer(n, state_dim, ours)
    if theirs is None:
        return None
    agent_qs, states = inputs(rows, n, state_dim)
    # TorchRL orders its parameters differently: compare the values alone.
    torch.testing.assert_close(theirs[0](agent_qs, states).flatten(), ours(agent_qs, states))
    steps = {"ours": (ours, ours), "torchrl": theirs}
    return harness.interleave(
        {name: training_step(*mixer, agent_qs, states) for name, mixer in steps.items()}, REPEATS
    )


HEADER = [
    "rows, n, S",
    "ours (ms)",
    "eager",
    "torch.compile",
    "floor",
    "eager/ours",
    "compiled/ours",
    "floor/ours",
]


def row(label: str, times: dict[str, harness.Timing]) -> list[str]:
    """One line of a table."""
    ours = times["ours"]
    ratios = [harness.ratio(times[name], ours) for name in ("eager", "compiled", "floor")]
    return [
        label,
        *(str(times[name]) for name in ("ours", "eager", "compiled", "floor")),
        *map("{:.2f}".format, ratios),
    ]


LOSS_HEADER = ["rows, n, S", "ours (ms)", "eager", "floor", "eager/ours", "floor/ours"]


def loss_row(label: str, times: dict[str, harness.Timing]) -> list[str]:
    """One line of the table of losses."""
    ratios = [harness.ratio(times[name], times["ours"]) for name in ("eager", "floor")]
    return [label, *(str(times[name]) for name in ("ours", "eager", "floor")), *map("{:.2f}".format, ratios)]


def main() -> None:
    """Time every shape on one thread, and training on two."""
    before = torch.get_num_threads()
    tables: dict[str, list[list[str]]] = {
        name: [] for name in ("training", "forward", "loss", "two threads", "torchrl")
    }
    data: dict[str, Any] = {}
    medians: dict[str, list[float]] = {name: [] for name in ("ours", "eager", "compiled", "floor")}
    kept: list[list[str]] = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for rows in ROWS:
            for n, state_dim in SIZES.values():
                label = f"{rows} x ({n}, {state_dim})"
                result = compare(rows, n, state_dim)
                data[f"{label}, {threads} thread(s)"] = {
                    part: {key: timing.seconds for key, timing in result[part].items()}
                    for part in ("training", "forward", "loss")
                } | {"kept_bytes": result["kept"], "compile_seconds": result["compile_seconds"]}
                if threads == 2:
                    tables["two threads"].append(row(label, result["training"]))
                    continue
                tables["training"].append([*row(label, result["training"]), f"{result['compile_seconds']:.0f}"])
                tables["forward"].append(row(label, result["forward"]))
                tables["loss"].append(loss_row(label, result["loss"]))
                mib = [result["kept"][side] / 2**20 for side in ("ours", "eager")]
                kept.append([label, *(f"{size:.1f}" for size in mib)])
                if rows == ROWS[0]:
                    for side, times in medians.items():
                        times.append(result["training"][side].median)
                other = compare_torchrl(rows, n, state_dim)
                if other is not None:
                    ratio = f"{harness.ratio(other['torchrl'], other['ours']):.2f}"
                    tables["torchrl"].append([label, str(other["ours"]), str(other["torchrl"]), ratio])
                print(label, *tables["training"][-1][-4:-1], *tables["forward"][-1][-3:], flush=True)
    torch.set_num_threads(1)
    text = "Median (quartiles) in ms; ratios are medians over rounds.\n\nForward and backward, one thread:\n\n"
    text += harness.table([*HEADER, "compiling (s)"], tables["training"])
    text += "\nForward alone, no gradients, one thread:\n\n" + harness.table(HEADER, tables["forward"])
    text += "\nLoss, forward and backward in one pass, as training takes them, one thread:\n\n"
    text += harness.table(LOSS_HEADER, tables["loss"])
    text += "\nForward and backward, two threads:\n\n" + harness.table(HEADER, tables["two threads"])
    text += "\nKept between forward and backward, MiB, inputs and parameters aside:\n\n"
    text += harness.table(["rows, n, S", "ours", "eager"], kept)
    if tables["torchrl"]:
        text += "\nHypernetworks of one layer, forward and backward, one thread, beside TorchRL's QMixer:\n\n"
        text += harness.table(["rows, n, S", "ours (ms)", "TorchRL", "TorchRL/ours"], tables["torchrl"])
    else:
        text += "\nTorchRL is not installed here: no comparison.\n"
    harness.report("mixing", text, {"shapes": data}, "python benchmarks mixing")
    harness.bars("mixing", list(SIZES), medians, f"forward + backward, {ROWS[0]} rows (ms)")
    torch.set_num_threads(before)
