"""Killed nodes, players and learners of a run on a Ray cluster; the run equals one that was left alone.

    python cluster.py KILLS [SEED]

Each kill of the second of two nodes, by SIGKILL, hits a player with an open order; the node is added again after
further rounds. So does each kill of a player alone. A quarter as many kills hit the learner, which is resumed on
the same cluster. Then the same with faults planted. With fewer than 5 kills only a part of this is done.
"""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import harness
import plants
import runs
from ray_nodes import RayNodes

from pyqmix.play.cluster.pool import PlayerPool
from pyqmix.play.cluster.training import PlayOnCluster

ENVS, ROUNDS_A_KILL, FULL = 24, 4, 5  # the last one: kills of a check of everything
PHASES = (("nodes", 2), ("nodes", 0), ("players", 1))  # what is killed, and max_staleness
RAY = {  # a dead node is noticed after 2.5 seconds, not after 15; players have the priority of this process
    "RAY_worker_niceness": "0",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "10000",
    "RAY_health_check_initial_delay_ms": "1000",
}
COUNTS = ("tickets", "published")  # of a run's ring; each must be the number of its episodes
STARTS, LONG = 90.0, 900.0  # seconds in which a player must have started, and a run have ended
SIZES = "--batch-size 16 --buffer-size 256 --hidden-dim 8 --embed-dim 4 --hypernet-dim 8 --threads 1 --device cpu"
GAME = f"--env pettingzoo --task mpe2.simple_spread_v3 {SIZES} --num-envs {ENVS} --updates-per-episode 0.1".split()
PLANTED = {
    "double": plants.publish_twice,
    "lost": plants.lose_an_episode,
    "torn": plants.play_others,
    "double, refused": plants.take_twice,
    "double of another order, refused": plants.answer_another_order,
    "lost, refused": plants.lose_a_reply,
    "torn, refused": plants.tear_a_reply,
}


class Disturbance:
    """Kills players of a trainer, at moments in which they have orders; :meth:`plant` is called in its process.

    Args:
        nodes: the cluster.
        kills: how many.
        whole_nodes: kill the second node, and not only the player on one of them.
        seed: of the moments.
    """

    def __init__(self, nodes: RayNodes, kills: int, whole_nodes: bool, seed: str) -> None:
        self._nodes, self._left, self._whole_nodes = nodes, kills, whole_nodes
        self._moments = random.Random(seed)
        self._rounds = self._killed_at = self._due = self._tried = self._hits = 0
        self._lacks_node = False
        self._seen: tuple[int, int] | None = None  # deaths and retried episodes before a kill

    def plant(self) -> None:
        """Watch the trainer's calls."""
        listen, play, close = PlayerPool._listen, PlayOnCluster.play, PlayOnCluster.close

        def watched_listen(pool: PlayerPool) -> None:
            self._perhaps_kill(pool)
            listen(pool)

        def watched_play(cluster: PlayOnCluster, *episodes) -> object:
            self._perhaps_add(cluster.pool)
            played = play(cluster, *episodes)
            self._rounds += 1
            return played

        def watched_close(cluster: PlayOnCluster) -> None:
            ring, pool = cluster._receiver._ring, cluster.pool
            counted = {"tickets": ring.tickets, **ring.stats(), "deaths": pool.deaths, "retried": pool.retried}
            Path("counted.json").write_text(json.dumps({**counted, "hits": self._hits, "tried": self._tried}))
            close(cluster)
            if self._lacks_node:
                self._nodes.add()

        PlayerPool._listen, PlayOnCluster.play, PlayOnCluster.close = watched_listen, watched_play, watched_close

    def _perhaps_kill(self, pool: PlayerPool) -> None:
        if self._left == 0 or self._seen is not None or self._rounds < self._due:
            return
        safe = pool._ray.get_runtime_context().get_node_id() if self._whole_nodes else None
        if not any(seat.is_ready and seat.open and seat.node != safe for seat in pool._seats):
            return
        playing = [pid for pid, title in players(self._nodes) if title == b"ray::Player.play"]
        if self._whole_nodes:
            self._nodes.kill()
            self._lacks_node = True
        elif playing:
            os.kill(self._moments.choice(playing), signal.SIGKILL)
        else:
            return
        self._seen, self._killed_at = (pool.deaths, pool.retried), self._rounds
        self._tried += 1

    def _perhaps_add(self, pool: PlayerPool) -> None:
        """After a kill and at least one round, make the cluster whole again, and wait for the player."""
        if self._seen is None or self._rounds == self._killed_at:
            return
        if self._lacks_node:
            self._nodes.add()
            self._lacks_node = False
        if pool.deaths == self._seen[0]:  # nobody has noticed it yet
            return
        end = time.monotonic() + STARTS
        while pool.ready < len(pool._seats):
            assert time.monotonic() < end, "a player has not been started again"
            pool._listen()
        hit = pool.retried > self._seen[1]
        self._hits += hit
        self._left -= hit
        self._seen, self._due = None, self._rounds + self._moments.randrange(ROUNDS_A_KILL // 2)


def players(nodes: RayNodes) -> Iterator[tuple[int, bytes]]:
    """Yield the processes of a cluster's players, and their titles."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
    for pid in parents:
        above = pid
        while above in parents and above != nodes._process.pid:
            above = parents[above]
        if above == nodes._process.pid:
            try:
                title = Path(f"/proc/{pid}/cmdline").read_bytes().strip(b"\0 ")
            except OSError:
                continue
            if title.startswith(b"ray::Player"):
                yield pid, title


def arguments(rounds: int, *more: str) -> list[str]:
    """Return the options of a run of a number of rounds."""
    steps = rounds * ENVS * 25
    every = ["--total-steps", str(steps), "--eval-every", str(steps // 2), "--log-every", str(steps // 5)]
    return [
        *GAME,
        *every,
        "--eval-episodes",
        "8",
        "--checkpoint-every",
        str(steps // 4),
        "--run-dir",
        "run",
        *more,
    ]


def on_ray(nodes: RayNodes, rounds: int, staleness: int) -> list[str]:
    """Return the same for a run on a cluster."""
    ray = ["--rollout", "ray", "--num-workers", "2", "--ray-address", nodes.address]
    return arguments(rounds, *ray, "--max-staleness", str(staleness))


def verdict(
    outcome: harness.Outcome,
    expected: dict[str, object],
    cwd: Path,
    counts: Sequence[str] = ("tickets", "published"),
) -> list[str]:
    """Name what differs in a run that should have come to its end, or what its ring has counted wrong."""
    if outcome.code:
        return [f"exit code {outcome.code}: {outcome.stderr[-300:]!r}"]
    counted = json.loads((cwd / "counted.json").read_text())
    episodes = json.loads((cwd / "run" / "summary.json").read_text())["episodes"]
    wrong = [f"{counted[name]} {name}, {episodes} episodes" for name in counts if counted[name] != episodes]
    found = content(cwd)
    return wrong + [
        name for name in sorted(expected.keys() | found.keys()) if found.get(name) != expected.get(name)
    ]


def content(cwd: Path) -> dict[str, object]:
    """Return the parts of a finished run that may not depend on the cluster."""
    found = {name: value for name, value in runs.content(cwd / "run").items() if "staleness" not in name}
    del found["config.json"]
    found["summary.json"].pop("rollout", None)
    for name, value in found.items():
        if name.startswith("metrics.csv"):
            del value["staleness"]
        if name.endswith("progress.json"):
            del value["metrics"]["events"]  # TensorBoard's file has the staleness too
    return found


def disturbed(
    nodes: RayNodes, kills: int, whole_nodes: bool, staleness: int, seed: str
) -> tuple[dict[str, int], list[str]]:
    """Run to the end while players are killed; return the counts, and what is wrong."""
    rounds = 8 + ROUNDS_A_KILL * kills
    with harness.folder() as work, harness.folder() as other:
        expected = reference(other, arguments(rounds) if staleness == 0 else on_ray(nodes, rounds, staleness))
        disturbance = Disturbance(nodes, kills, whole_nodes, seed)
        child = harness.start(on_ray(nodes, rounds, staleness), work, before=disturbance.plant)
        child.ended_within(LONG)
        wrong = verdict(child.wait(), expected, work)
        counted = json.loads((work / "counted.json").read_text()) if (work / "counted.json").exists() else {}
        if counted.get("hits") != kills:
            wrong.append(f"{counted.get('hits')} of {counted.get('tried')} kills hit open orders")
        return counted, wrong


def reference(cwd: Path, options: list[str]) -> dict[str, object]:
    """Run without a kill, and return the content."""
    child = harness.start(options, cwd)
    child.ended_within(LONG)
    outcome = child.wait()
    assert outcome.code == 0, outcome
    return content(cwd)


def learner_killed(nodes: RayNodes, kills: int, seed: str) -> tuple[int, list[str]]:
    """Kill the trainer, and resume it on the same cluster; return the kills that hit, and what is wrong."""
    moments, options, done = random.Random(seed), on_ray(nodes, 16 + 12 * kills, 2), 0
    with harness.folder() as work, harness.folder() as other:
        began = time.monotonic()
        expected = reference(other, options)
        length = time.monotonic() - began
        while done < kills and not (work / "run" / "summary.json").exists():
            child = harness.start(runs.again(options, work), work)
            if not child.ended_within(moments.uniform(0.2 * length, 0.6 * length)):
                child.kill()
                done += 1
            child.wait()
        watch = Disturbance(nodes, 0, False, seed)
        outcome = harness.run(runs.again(options, work), work, before=watch.plant)
        return done, verdict(outcome, expected, work, ("tickets",))


def is_caught(nodes: RayNodes, plant: Callable[[], None], expected: dict[str, object], rounds: int) -> bool:
    """Whether a planted fault shows itself in a run that nobody kills."""

    def planted() -> None:
        Disturbance(nodes, 0, False, "").plant()
        plant()

    with harness.folder() as work:
        wrong = verdict(harness.run(on_ray(nodes, rounds, 0), work, before=planted), expected, work)
    print(f"  planted {plant.__name__}: {'; '.join(wrong)[:300] or 'not seen'}", flush=True)
    return bool(wrong)


def main(kills: int, seed: int) -> None:
    """Kill nodes, players and learners; then plant faults."""
    harness.warm()
    os.environ |= RAY
    failed = False
    with RayNodes() as nodes:
        for victims, staleness in PHASES[: None if kills >= FULL else 1]:
            counted, wrong = disturbed(nodes, kills, victims == "nodes", staleness, f"{seed} {staleness}")
            failed |= bool(wrong)
            told = ", ".join(f"{counted.get(name)} {name}" for name in (*COUNTS, "retried"))
            like = "an undisturbed" if staleness else "the local"
            print(
                f"cluster: {counted.get('hits')} {victims} killed with open orders, max_staleness {staleness}: "
                f"{told}; {len(wrong)} differences from {like} run {'; '.join(wrong)[:500]}",
                flush=True,
            )
        done, wrong = learner_killed(nodes, max(1, kills // 4), f"{seed} learner")
        differ = f"{len(wrong)} differences {'; '.join(wrong)[:500]}"
        print(f"cluster: learner killed and resumed {done} times: {differ}", flush=True)
        with harness.folder() as work:
            expected = reference(work, arguments(6))
        planted = list(PLANTED)[: None if kills >= FULL else 3]
        caught = sum(is_caught(nodes, PLANTED[name], expected, 6) for name in planted)
        print(f"cluster: faults planted: {caught} of {len(planted)} caught")
    if failed or wrong or not done or caught < len(planted):
        sys.exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
