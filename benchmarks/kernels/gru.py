"""How fast is the recurrent unit over whole sequences? Ours, torch's, and the matrix products alone.

32 episodes of 50 steps for each of 2, 3 and 4 agents, float32: forward and backward, with gradients for the
features and every parameter; and the forward alone, without gradients. The floor is the products that the
mathematics needs, through torch.mm with preallocated outputs: forward one product of all features and, step by
step, one of the state before; backward one product a step for the state before, and one over all steps each for
the features and for both weights.
"""

from __future__ import annotations

from collections.abc import Callable

import harness
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from pyqmix import ops

EPISODES, STEPS, REPEATS = 32, 50, 30
SIZES = [(agents, hidden) for hidden in (64, 128) for agents in (2, 3, 4)]
Step = Callable[[], object]


def floor(sequences: int, hidden: int, backward: bool) -> Step:
    """The matrix products alone."""
    rows, wide = sequences * STEPS, 3 * hidden
    features, states, back = torch.randn(rows, hidden), torch.randn(rows, hidden), torch.empty(rows, hidden)
    gates, weight = torch.randn(rows, wide), torch.randn(wide, hidden)
    of_inputs, step_gates = torch.empty(rows, wide), torch.empty(sequences, wide)
    step_back, grad_weight = torch.empty(sequences, hidden), torch.empty(wide, hidden)
    steps = list(zip(states.split(sequences), gates.split(sequences), strict=True))

    def products() -> None:
        torch.mm(features, weight.T, out=of_inputs)
        for state, _ in steps[1:]:
            torch.mm(state, weight.T, out=step_gates)
        if not backward:
            return
        for _, gate in steps[1:]:
            torch.mm(gate, weight, out=step_back)
        torch.mm(gates, weight, out=back)
        torch.mm(gates.T, features, out=grad_weight)
        torch.mm(gates.T, states, out=grad_weight)

    return products


def candidates(agents: int, hidden: int, backward: bool) -> dict[str, Step]:
    """Build what is timed, after a check that values and gradients agree."""
    torch.manual_seed(0)
    sequences = EPISODES * agents
    unit = nn.GRU(hidden, hidden)
    parameters = list(unit.parameters())
    sizes = torch.full((STEPS,), sequences)
    features = torch.randn(sequences * STEPS, hidden, requires_grad=True)

    def ours() -> Tensor:
        return ops.gru(features, sizes, *parameters)

    def torchs() -> Tensor:
        hidden_states: Tensor = unit(PackedSequence(features, sizes))[0].data
        return hidden_states

    wanted = [features, *parameters]
    for a, b in zip(
        torch.autograd.grad(ours().square().sum(), wanted),
        torch.autograd.grad(torchs().square().sum(), wanted),
        strict=True,
    ):
        assert (a - b).norm() <= 1e-5 * b.norm()

    def training(forward: Callable[[], Tensor]) -> Step:
        grad = torch.randn(sequences * STEPS, hidden)
        return lambda: torch.autograd.grad(forward(), wanted, grad)

    def alone(forward: Callable[[], Tensor]) -> Step:
        def step() -> Tensor:
            with torch.no_grad():
                return forward()

        return step

    wrap = training if backward else alone
    return {"ours": wrap(ours), "torch": wrap(torchs), "floor": floor(sequences, hidden, backward)}


HEADER = ["sequences x steps, hidden", "ours (ms)", "torch", "floor", "torch/ours", "ours/floor"]


def main() -> None:
    """Time every size on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    text, data = "Median (quartiles) in ms, one thread; ratios are medians over rounds.\n", {}
    for title, backward in (("Forward and backward", True), ("Forward alone, no gradients", False)):
        lines = []
        for agents, hidden in SIZES:
            times = harness.interleave(candidates(agents, hidden, backward), REPEATS)
            label = f"{EPISODES * agents} x {STEPS}, {hidden}"
            ratios = (harness.ratio(times["torch"], times["ours"]), harness.ratio(times["ours"], times["floor"]))
            line = [label, *(str(times[name]) for name in ("ours", "torch", "floor"))]
            lines.append([*line, *map("{:.2f}".format, ratios)])
            data[f"{label}: {title}"] = {name: timing.seconds for name, timing in times.items()}
        text += f"\n{title}:\n\n{harness.table(HEADER, lines)}"
    harness.report("gru", text, {"sizes": data}, "python benchmarks gru")
    torch.set_num_threads(before)
