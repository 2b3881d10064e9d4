"""What does a cluster cost the learner: an episode, the weights, and a whole run?

Two nodes of Ray on the loopback of one machine; the learner is on the first.
"""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import harness
import torch

sys.path.append(str(Path(__file__).parents[2] / "tests/helpers"))
from cluster import loops, model, shipping
from ray_nodes import RayNodes

from pyqmix.base.ray_cluster import connect, disconnect

HERE, OTHER = "the learner's node", "the other node"


def main() -> None:
    """Measure, compute, and write."""
    torch.set_num_threads(1)
    os.environ |= {"RAY_worker_niceness": "0"}  # not 15: as the side without Ray
    with RayNodes(cpus=8) as nodes:
        ray = connect(nodes.address)
        here = ray.get_runtime_context().get_node_id()
        other = next(node["NodeID"] for node in ray.nodes() if node["NodeID"] != here)
        shipped, weights = shipping.measure(ray, {HERE: here, OTHER: other})
        print(_shipping(shipped), _weights(weights), flush=True)
        crowd = model.real_players(ray)
        print(crowd, flush=True)
        sides = {}
        for name, (config, workers) in loops.CASES.items():
            sides[name] = loops.compare(config, workers, nodes.address)
            print(loops.row(name, sides[name])[0], flush=True)
        disconnect()
    costs = model.constants_of(shipped, weights, crowd, OTHER)
    checked = model.checks(costs)
    text = "\n".join([_shipping(shipped), _weights(weights), _loops(sides), model.text(costs, crowd, checked)])
    data = {**_data(shipped, weights, sides, crowd), "constants": asdict(costs), "simulated": checked}
    harness.report("cluster", text, data, "python benchmarks cluster")


def _shipping(shipped: dict[Any, shipping.Shipped]) -> str:
    rows = []
    for task in shipping.TASKS:
        for count in shipping.ORDERS:
            near, far = (shipped[task, count, place] for place in (HERE, OTHER))
            rows.append([task, str(count), f"{near.steps / count:.0f}", f"{near.size / count / 1e3:.1f}"])
            rows[-1] += [_micro(near.cpu["pack"], count), _micro(near.cpu["publish"], count)]
            for each in (near, far):
                rows[-1] += [f"{1e3 * x / count:.0f}" for x in each.learner()]
                rows[-1] += [f"{each.times['wait'].median:.2f} ({each.times['wait'].spread[0]:.2f})"]
    header = ["task", "episodes of an order", "steps of one", "kB of one", "pack, us", "publish, us"]
    for place in (HERE, OTHER):
        header += [f"from {place}: learner's CPU, us", "its time, us", "the order's reply, ms"]
    return (
        "An episode's way, of random play: its bytes; CPU microseconds to pack one in the player and to publish "
        "one in the learner; the learner's CPU time for one (call, wait, get, publish), and its time without the "
        "wait; and milliseconds until the reply to an order is there that the player need not play. Medians "
        "(quartiles; of the last the lower one).\n\n" + harness.table(header, rows)
    )


def _micro(timing: harness.Timing, count: int) -> str:
    low, high = timing.spread
    return f"{1e3 * timing.median / count:.1f} ({1e3 * low / count:.1f}-{1e3 * high / count:.1f})"


def _weights(weights: dict[str, Any]) -> str:
    names = ("copy", "put", f"fetch, {HERE}", f"fetch, {OTHER}")
    rows = [
        [task, f"{found['bytes'] / 1e3:.0f}", *(_micro(found[name], 1) for name in names)]
        for task, found in weights.items()
    ]
    return "One version of the weights: median microseconds (quartiles).\n\n" + harness.table(
        ["task", "kB", "copy out of the network", "ray.put", *names[2:]], rows
    )


def _loops(sides: dict[str, dict[str, loops.Side]]) -> str:
    rows = [loops.row(name, each)[0] for name, each in sides.items()]
    names = list(next(iter(sides.values())))
    header = ["environment, num_envs", *names, *(f"transport, {name}" for name in names[1:])]
    return (
        "Environment steps/s of the training loop with 2 players, one on each node, or without Ray (Python "
        "environments: in 2 worker processes), in turns: median (quartiles); and the learner's share of time on "
        "transport. Learner and players share the cores of this machine.\n\n" + harness.table(header, rows)
    )


def _data(shipped: Any, weights: Any, sides: Any, crowd: Any) -> dict[str, Any]:
    return {
        "shipping_us": {
            ", ".join(map(str, key)): {
                "bytes": each.size,
                "steps": each.steps,
                **{name: [round(1e3 * x, 1) for x in (t.median, *t.spread)] for name, t in each.times.items()},
                "cpu": {name: [round(1e3 * x, 1) for x in (t.median, *t.spread)] for name, t in each.cpu.items()},
            }
            for key, each in shipped.items()
        },
        "weights_us": {
            task: {
                name: x if name == "bytes" else [round(1e3 * y, 1) for y in (x.median, *x.spread)]
                for name, x in found.items()
            }
            for task, found in weights.items()
        },
        "loops": {name: loops.row(name, each)[1] for name, each in sides.items()},
        "crowd": crowd,
    }
