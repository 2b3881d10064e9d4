"""How fast is the target with its hypernetworks? Ours, eager PyTorch, and the matrix products alone.

Masked maximum, double-Q, mixing and bootstrap, in float32 (embed 32, hypernetworks 2 x 64). The floor is the
three matrix products of the hypernetworks, through torch.mm with preallocated outputs.
"""

from __future__ import annotations

from collections.abc import Callable

import harness
import torch
from kernels import mixing
from torch import Tensor

from pyqmix.nn import QMixer
from pyqmix.ops import reference

SHAPES = ((1_600, 2, 30, 6), (1_600, 8, 168, 14), (1_600, 27, 1170, 36))  # rows, n, S, A


def candidates(rows: int, n: int, state_dim: int, n_actions: int) -> dict[str, Callable[[], object]]:
    """Build what is timed, after a check that it agrees."""
    torch.manual_seed(0)
    mixer = QMixer(n, state_dim, mixing.EMBED, mixing.HYPERNET)
    next_qs, online = torch.randn(2, rows, n, n_actions)
    avail = torch.rand(rows, n, n_actions) < 0.7
    avail[..., 0] = True
    rewards, terminated, states = torch.randn(rows), torch.rand(rows) < 0.05, torch.randn(rows, state_dim)

    def ours() -> Tensor:
        return mixer.td_target(next_qs, avail, rewards, terminated, 0.99, states, online)

    def eager() -> Tensor:
        with torch.no_grad():
            weights = mixer.hypernetworks(states)
            return reference.td_target(next_qs, avail, rewards, terminated, 0.99, *weights, online)

    torch.testing.assert_close(ours(), eager())
    torch._dynamo.reset()
    return {"ours": ours, "eager": eager, "floor": mixing.floor(rows, n, state_dim, backward=False)}


def main() -> None:
    """Time every shape on one thread, and on two."""
    before = torch.get_num_threads()
    rows, data = [], {}
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for shape in SHAPES:
            times = harness.interleave(candidates(*shape), mixing.REPEATS)
            ratios = [harness.ratio(times[name], times["ours"]) for name in ("eager", "floor")]
            label = f"{shape[0]} x ({shape[1]}, {shape[2]}, A={shape[3]})"
            line = [label, str(threads), *(str(times[name]) for name in ("ours", "eager", "floor"))]
            rows.append([*line, *map("{:.2f}".format, ratios)])
            data[f"{label}, {threads} thread(s)"] = {name: timing.seconds for name, timing in times.items()}
    torch.set_num_threads(1)
    header = ["rows x (n, S, A)", "threads", "ours (ms)", "eager", "floor", "eager/ours", "floor/ours"]
    text = "Median (quartiles) in ms; ratios are medians over rounds.\n\n" + harness.table(header, rows)
    harness.report("td_target", text, {"shapes": data}, "python benchmarks td_target")
    torch.set_num_threads(before)
