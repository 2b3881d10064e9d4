"""The way of an episode from a player's ring into the learner's, and of weights to the players, step by step.

A player that answers at once with episodes that it has kept stands for one that plays them.
"""

from __future__ import annotations

import pickle
import sys
import time
from dataclasses import dataclass
from typing import Any

import harness
import numpy as np
from harness import Timing

from pyqmix import Config, EpisodeRing, from_preset
from pyqmix.base.seeding import Stream
from pyqmix.learn.learner import Learner
from pyqmix.nn.actor_weights import ActorWeights
from pyqmix.play.cluster.orders import Order, Reply, Span
from pyqmix.play.create import create_rollout
from pyqmix.replay.packed import Receiver, pack

ORDERS, REPEATS = (1, 8, 64), 100
TASKS = {
    "lbf 8x8-2p-3f": from_preset("lbf", task="Foraging-8x8-2p-3f-v3"),
    "lbf 15x15-4p-5f": from_preset("lbf", task="Foraging-15x15-4p-5f-v3"),
    "smax 3m": from_preset("smax", task="3m"),
    "smax 27m_vs_30m": from_preset("smax", task="27m_vs_30m"),
}
STEPS = ("pack", "call", "wait", "get", "publish")


class Echo:
    """The class of a Ray actor that answers with what it has."""

    def keep(self, reply: Any) -> None:
        """Take the reply to all further orders."""
        self._reply = reply

    def play(self, order: Any, weights: Any) -> Any:
        """Reply."""
        return self._reply

    def hold(self) -> None:
        """Work for a minute."""
        time.sleep(60)

    def fetch(self, references: list[Any]) -> float:
        """Get something that was put, and return the seconds that it took."""
        import ray

        start = time.perf_counter()
        ray.get(references)
        return time.perf_counter() - start


@dataclass(frozen=True)
class Shipped:
    """An order's way.

    Attributes:
        size: bytes of its episodes.
        steps: of the environment.
        times: of each of STEPS.
        cpu: of the learner's thread in each.
    """

    size: int
    steps: int
    times: dict[str, Timing]
    cpu: dict[str, Timing]

    def learner(self) -> tuple[float, float]:
        """Milliseconds of the learner's thread: CPU, and time without the wait."""
        cpu = sum(self.cpu[step].median for step in STEPS[1:])
        return cpu, sum(self.times[step].median for step in ("call", "get", "publish"))


def echo(ray: Any, node: str) -> Any:
    """Start an actor on a node."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # a node need not have the benchmarks
    placed = NodeAffinitySchedulingStrategy(node, soft=False)
    return ray.remote(Echo).options(num_cpus=0, scheduling_strategy=placed).remote()


def recorded(config: Config, count: int) -> tuple[EpisodeRing, Reply]:
    """Play episodes at random, which are longer than those of a policy that has learned."""
    spec = config.create_env().spec
    ring = EpisodeRing(spec, 2 * count)
    rollout = create_rollout(config, Learner(spec, config).agent, 0, Stream.ENVIRONMENT, count, ring)
    played = rollout.play(0, count, 1.0)
    return ring, Reply(played, pack(ring, 0, 0, count))


def ship(ray: Any, actor: Any, ring: EpisodeRing, reply: Reply) -> Shipped:
    """Check that the episodes arrive as they were, and time their way."""
    assert reply.packed is not None
    count, receiving = len(reply.played.returns), EpisodeRing(ring.spec, 2 * len(reply.played.returns))
    receiver, order = Receiver(receiving), Order(Span(0, count), 0, Stream.ENVIRONMENT, 1.0, sends=True)
    ray.get(actor.keep.remote(reply))
    weights = ray.put(np.zeros(1, np.float32))
    times = np.empty((REPEATS + harness.WARM_UP, len(STEPS), 2))
    for row in times:
        ticks = [_now()]
        pack(ring, 0, 0, count)
        ticks.append(_now())
        reference = actor.play.remote(order, weights)
        ticks.append(_now())
        ray.wait([reference])
        ticks.append(_now())
        came = ray.get(reference)
        ticks.append(_now())
        receiver.expect(0, count)
        receiver.receive(came.packed)
        ticks.append(_now())
        row[:] = np.diff(ticks, axis=0)
    again = pack(receiving, receiving.tickets - count, 0, count)
    assert np.array_equal(again, reply.packed)
    wall, cpu = (
        {name: Timing(tuple(times[harness.WARM_UP :, k, clock])) for k, name in enumerate(STEPS)}
        for clock in (0, 1)
    )
    return Shipped(reply.packed.nbytes, reply.played.steps, wall, cpu)


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.thread_time()


def weights_of(ray: Any, config: Config, actors: dict[str, Any]) -> dict[str, Any]:
    """Measure the bytes of a policy's weights, and the times to put them and to fetch them elsewhere."""
    agent = Learner(config.create_env().spec, config).agent
    size = len(pickle.dumps(ActorWeights.of(agent), protocol=5))
    times: dict[str, list[float]] = {"copy": [], "put": [], **{f"fetch, {place}": [] for place in actors}}
    for _ in range(REPEATS + harness.WARM_UP):
        start = time.perf_counter()
        weights = ActorWeights.of(agent)
        times["copy"].append(time.perf_counter() - start)
        start = time.perf_counter()
        reference = ray.put(weights)
        times["put"].append(time.perf_counter() - start)
        for place, actor in actors.items():
            times[f"fetch, {place}"].append(ray.get(actor.fetch.remote([reference])))
    return {"bytes": size, **{name: Timing(tuple(each[harness.WARM_UP :])) for name, each in times.items()}}


def measure(ray: Any, nodes: dict[str, str]) -> tuple[dict[tuple[str, int, str], Shipped], dict[str, Any]]:
    """Ship orders of every task and size from every node; return these, and the weights of every task."""
    actors = {place: echo(ray, node) for place, node in nodes.items()}
    shipped, weights = {}, {}
    for task, config in TASKS.items():
        for count in ORDERS:
            ring, reply = recorded(config, count)
            for place, actor in actors.items():
                shipped[task, count, place] = ship(ray, actor, ring, reply)
        weights[task] = weights_of(ray, config, actors)
    for actor in actors.values():
        ray.kill(actor)
    return shipped, weights
