"""The costs of many players: a model from measured constants, and what checks it.

A round of E episodes in R orders, with U training steps. The learner's thread takes

    T_learner = version + R reply + E episode + 2 wait(references) + U step

where ``version`` copies and puts the weights, ``reply`` is the call of an order, the get of its reply and the
pool's own work, ``episode`` publishes, and ``wait`` grows with the references that are waited for. Players take

    T_players = (1 + UNEVEN) x episodes of an order x steps of an episode / (steps/s of a player)

for an order each, as a round waits for its slowest. A round takes T_learner + T_players where no round is ahead,
but for the replies that are taken while others are played; with K > 0 ahead it takes
max(T_learner, T_players, (T_learner + T_players) / (K + 1)).
"""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import harness
import numpy as np
from cluster import shipping
from cluster.stand_ins import Clock, CrowdRay, SimulatedRay, used

from pyqmix import Config, EpisodeRing
from pyqmix.base.seeding import Stream
from pyqmix.learn.learner import Learner
from pyqmix.play.cluster.orders import Reply, Span
from pyqmix.play.cluster.training import PlayOnCluster
from pyqmix.play.create import create_rollout
from pyqmix.play.episodes import Played
from pyqmix.replay.packed import Receiver, pack

TASK = "lbf 8x8-2p-3f"
PLAYERS, CROWDS, ORDER, ROUNDS = 1_000, (4, 16, 48), 8, 12
UNEVEN = 0.2  # an order takes up to this share more or less time than others
CHECKED = ("rounds ahead", "episodes of an order", "an order played, s", "training, s", "simulated, s", "model, s")
NODES = 16  # of PLAYERS, each of which fetches a version of the weights once
CASES = (  # steps/s of a player, episodes of an order, rounds ahead, training steps for an episode
    (100, 1, 0, 0.05), (100, 1, 2, 0.05), (100, 8, 2, 0.05),
    (1_500, 1, 2, 0.005), (1_500, 8, 0, 0.005), (1_500, 8, 2, 0.005), (1_500, 64, 2, 0.005), (1_500, 64, 2, 0.5),
    (20_000, 64, 2, 0.005),
)  # fmt: skip
REFERENCES = (10, 100, 1_000, 2_000)


@dataclass(frozen=True)
class Constants:
    """Measured seconds of the learner's thread, and bytes.

    Attributes:
        version: to copy and put the weights of a round.
        call, get: of an order.
        pool: of PlayerPool's own work for an order, with PLAYERS players.
        episode: to publish one.
        waits: (base, slope) of ``ray.wait`` over a number of references.
        step: of a training step.
        episode_bytes, weights_bytes: sizes.
        steps: of an episode.
    """

    version: float
    call: float
    get: float
    pool: float
    episode: float
    waits: tuple[float, float]
    step: float
    episode_bytes: float
    weights_bytes: float
    steps: float

    @property
    def put(self) -> float:
        """Seconds that SimulatedRay's put takes."""
        return self.version

    def wait(self, references: int) -> float:
        """Return the seconds of one wait."""
        return self.waits[0] + self.waits[1] * references

    def learner(self, orders: int, episodes: int, references: int, training: float) -> float:
        """Return T_learner in seconds."""
        reply = self.call + self.get + self.pool
        return self.version + orders * reply + episodes * self.episode + 2 * self.wait(references) + training


def recorded(config: Config, count: int) -> EpisodeRing:
    """Play episodes at random."""
    ring = EpisodeRing(config.create_env().spec, 2 * count)
    agent = Learner(ring.spec, config).agent
    create_rollout(config, agent, 0, Stream.ENVIRONMENT, count, ring).play(0, count, 1.0)
    return ring


def waits(ray: Any) -> dict[int, float]:
    """Measure ``ray.wait`` without an end to wait for, over numbers of references; seconds of CPU, medians."""
    actor = shipping.echo(ray, ray.get_runtime_context().get_node_id())
    held = [actor.hold.remote()] + [actor.play.remote(None, None) for _ in range(REFERENCES[-1])]
    found = {}
    for count in REFERENCES:
        times = []
        for _ in range(40):
            start = time.thread_time()
            ray.wait(held[:count], num_returns=1, timeout=0)
            times.append(time.thread_time() - start)
        found[count] = statistics.median(times)
    ray.kill(actor)
    return found


def real_players(ray: Any) -> dict[str, Any]:
    """Measure the learner's costs of a reply with real actors, which answer at once, by their number."""
    config = shipping.TASKS[TASK]
    ring, found = recorded(config, ORDER * CROWDS[-1]), {}
    for count in CROWDS:
        asked = config.replace(rollout="ray", num_workers=count, num_envs=ORDER * count, buffer_size=10_000)
        spans = Span(0, ORDER * count).parts(ORDER)
        replies = {
            s.first: Reply(Played(np.zeros(s.count), np.full(s.count, 50)), pack(ring, s.first, s.first, s.count))
            for s in spans
        }
        with used(CrowdRay(ray, replies)):
            found[str(count)] = _rounds_of_crowd(asked, ring)
    return {"players": found, "waits": {str(k): x for k, x in waits(ray).items()}}


def _rounds_of_crowd(config: Config, ring: EpisodeRing) -> dict[str, float]:
    """Seconds for a reply: of the learner's thread, of Ray's threads in its process, of the head, and in all."""
    learner = Learner(ring.spec, config)
    cluster = PlayOnCluster(config, ring.spec, learner.agent, EpisodeRing(ring.spec, 2 * config.num_envs), print)
    while cluster.pool.ready < config.num_workers:
        cluster.pool._listen()
    for _ in range(3):
        cluster.play(0, config.num_envs, 1.0)
    start, thread, process, head = time.perf_counter(), time.thread_time(), time.process_time(), head_seconds()
    transport = cluster.pool.transport_seconds
    for _ in range(ROUNDS):
        cluster.play(0, config.num_envs, 1.0)
    replies, thread = ROUNDS * config.num_workers, time.thread_time() - thread
    result = {
        "thread": thread / replies,
        "ray_threads": (time.process_time() - process - thread) / replies,
        "head": (head_seconds() - head) / replies,
        "transport": (cluster.pool.transport_seconds - transport) / replies,
        "wall": (time.perf_counter() - start) / replies,
    }
    cluster.close()
    return result


def head_seconds() -> float:
    """Return the CPU seconds of Ray's head and node managers below this process."""
    parents, names, seconds = {}, {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name, _, rest = (folder / "stat").read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        parts, pid = rest.split(), int(folder.name)
        parents[pid], names[pid], seconds[pid] = int(parts[1]), name, (int(parts[11]) + int(parts[12])) / 100
    total = 0.0
    for pid in parents:
        above = pid
        while above in parents and above != os.getpid():
            above = parents[above]
        total += seconds[pid] * (above == os.getpid() and names[pid] in ("gcs_server", "raylet"))
    return total


def simulate(costs: Any, ahead: int, order: int, play: float, training: float, ring: EpisodeRing) -> float:
    """Return the seconds of a round with PLAYERS simulated players, which play an order in some ``play``."""
    draws, clock = np.random.default_rng(0), Clock()
    ray = SimulatedRay(costs, lambda _: play * draws.uniform(1 - UNEVEN, 1 + UNEVEN), ring, clock)
    envs = order * PLAYERS
    options = {"num_workers": PLAYERS, "num_envs": envs, "buffer_size": 3 * envs, "max_staleness": ahead}
    config = shipping.TASKS[TASK].replace(rollout="ray", **options)
    learner = Learner(ring.spec, config)
    with used(ray):
        cluster = PlayOnCluster(config, ring.spec, learner.agent, EpisodeRing(ring.spec, 2 * envs), print)
        while cluster.pool.ready < PLAYERS:
            cluster.pool._listen()
        cluster.play(0, envs, 1.0)
        times = []
        for k in range(1, 7 + 2 * ahead):
            start = clock.now()
            cluster.start(k * envs, envs, 1.0)
            clock.pass_until(clock.now() + training)
            cluster.play(k * envs, envs, 1.0)
            times.append(clock.now() - start)
        cluster.close()
    return statistics.mean(times[2 * ahead :])


def own_work(ring: EpisodeRing) -> float:
    """Return the seconds that PlayerPool itself takes for an order with PLAYERS players."""
    free = Constants(0, 0, 0, 0, 0, (0, 0), 0, 0, 0, 0)
    with_all = simulate(free, 0, 1, 0.0, 0.0, ring)
    receiving = EpisodeRing(ring.spec, 2 * PLAYERS)
    receiver = Receiver(receiving)
    receiver.expect(0, PLAYERS)
    start = time.thread_time()
    for k in range(PLAYERS):
        receiver.receive(pack(ring, 0, k, 1))
    return (with_all - (time.thread_time() - start)) / PLAYERS


def constants_of(shipped: Any, weights: Any, crowd: dict[str, Any], place: str) -> Constants:
    """Fit the constants to what was measured."""
    each = [shipped[TASK, count, place] for count in shipping.ORDERS]
    episode = statistics.median(x.cpu["publish"].median / n for x, n in zip(each, shipping.ORDERS, strict=True))
    call = statistics.median(x.cpu["call"].median for x in each) / 1e3
    get = statistics.median(x.cpu["get"].median for x in each) / 1e3
    counts = [int(k) for k in crowd["waits"]]
    slope, base = np.polyfit(counts, list(crowd["waits"].values()), 1)
    version = (weights[TASK]["copy"].median + weights[TASK]["put"].median) / 1e3
    return Constants(
        version=version,
        call=call,
        get=get,
        pool=own_work(recorded(shipping.TASKS[TASK], 64)),
        episode=episode / 1e3,
        waits=(max(0.0, float(base)), float(slope)),
        step=training_step(shipping.TASKS[TASK]),
        episode_bytes=each[1].size / shipping.ORDERS[1],
        weights_bytes=weights[TASK]["bytes"],
        steps=each[1].steps / shipping.ORDERS[1],
    )


def training_step(config: Config) -> float:
    """Measure the CPU seconds of a training step, median."""
    ring = recorded(config, 64)
    learner, sampler, times = Learner(ring.spec, config), ring.sampler(0), []
    for _ in range(60):
        start = time.thread_time()
        learner.update(sampler.sample(config.batch_size))
        times.append(time.thread_time() - start)
    return statistics.median(times)


def checks(costs: Constants) -> list[dict[str, float]]:
    """Compare simulated rounds with the model's."""
    ring, found = recorded(shipping.TASKS[TASK], 64), []
    for ahead, order, play, training in (
        (0, 1, 0.5, 0.2), (0, 8, 2.0, 0.5), (2, 1, 0.2, 0.1), (2, 1, 2.0, 0.1), (2, 8, 0.5, 0.5), (2, 8, 3.0, 1.0),
    ):  # fmt: skip
        simulated = simulate(costs, ahead, order, play, training, ring)
        modelled = round_seconds(costs, PLAYERS, ahead, order, play, training)
        found.append(dict(zip(CHECKED, (ahead, order, play, training, simulated, modelled), strict=True)))
    return found


def round_seconds(costs: Constants, players: int, ahead: int, order: int, play: float, training: float) -> float:
    """Return the model's time of a round of an order for each player."""
    learner = costs.learner(players, players * order, players * (1 if ahead == 0 else 2), training)
    slowest = (1 + UNEVEN) * play
    if ahead == 0:
        taking = players * (costs.get + costs.pool + order * costs.episode)  # while others play
        return learner + slowest - min(taking, 2 * UNEVEN * play)
    return max(learner, slowest, (learner + slowest) / (ahead + 1))


def at_scale(costs: Constants, speed: float, order: int, ahead: int, updates: float) -> list[str]:
    """Return the model's row of a table for PLAYERS players."""
    episodes, references = PLAYERS * order, PLAYERS * (1 if ahead == 0 else 2)
    play, training = order * costs.steps / speed, episodes * updates * costs.step
    seconds = round_seconds(costs, PLAYERS, ahead, order, play, training)
    transport = costs.learner(PLAYERS, episodes, references, 0.0)
    limit = "training" if training > transport else "transport"
    if (1 + UNEVEN) * play > training + transport:
        limit = "players"
    rate = episodes / seconds
    return [
        f"{speed:,}", str(order), str(ahead), f"{updates}", f"{seconds:.2f}", f"{rate:,.0f}",
        f"{play / seconds:.0%}", f"{rate * costs.episode_bytes / 1e6:.1f}",
        f"{NODES * costs.weights_bytes / seconds / 1e6:.1f}", f"{PLAYERS / seconds:,.0f}",
        f"{transport / seconds:.0%}", f"{training / seconds:.0%}", limit,
    ]  # fmt: skip


def text(costs: Constants, crowd: dict[str, Any], checked: list[dict[str, float]]) -> str:
    """Write the tables."""
    micro = [
        [players, *(f"{1e6 * found[k]:.0f}" for k in ("thread", "transport", "ray_threads", "head", "wall"))]
        for players, found in crowd["players"].items()
    ]
    reply = 1e6 * (costs.call + costs.get + ORDER * costs.episode)
    parts = [
        f"Real players that answer at once, orders of {ORDER} episodes: CPU microseconds for a reply in the "
        "learner's thread, of these transport_seconds, in Ray's threads of its process, in the head with the node "
        f"managers; and wall time. The constants alone (call, get, publish) give {reply:.0f}.\n",
        harness.table(["players", "thread", "transport", "Ray's threads", "head", "wall"], micro),
        "`ray.wait` without a reply: CPU microseconds.\n",
        harness.table(list(crowd["waits"]), [[f"{1e6 * x:.0f}" for x in crowd["waits"].values()]]),
        f"Rounds of {PLAYERS:,} simulated players, by the real PlayerPool, and by the model.\n",
        harness.table([*CHECKED, "ratio"], [_checked(each) for each in checked]),
        f"The model for {PLAYERS:,} players on {NODES} nodes. Constants in microseconds: a version of the weights "
        f"{1e6 * costs.version:.0f}; call {1e6 * costs.call:.0f}, get {1e6 * costs.get:.0f} and the pool's work "
        f"{1e6 * costs.pool:.0f} for an order; {1e6 * costs.episode:.1f} for an episode of "
        f"{costs.episode_bytes / 1e3:.1f} kB; a training step {1e6 * costs.step:.0f}.\n",
        harness.table(
            [
                "steps/s of a player",
                "episodes of an order",
                "rounds ahead",
                "training steps for an episode",
                "a round, s",
                "episodes/s",
                "players busy",
                "MB/s in",
                "MB/s of weights out",
                "replies/s",
                "learner: transport",
                "learner: training",
                "limit",
            ],
            [at_scale(costs, *case) for case in CASES],
        ),
    ]
    return "\n".join(parts)


def _checked(found: dict[str, float]) -> list[str]:
    simulated, modelled = found[CHECKED[-2]], found[CHECKED[-1]]
    return [
        *(f"{found[name]:g}" for name in CHECKED[:4]),
        f"{simulated:.2f}",
        f"{modelled:.2f}",
        f"{modelled / simulated:.2f}",
    ]
