"""Plays episodes of Python environments in worker processes that share the ring.

Threading contract: one thread at a time may use a pool and the rollouts that play in it. Its workers are its own:
each has several environments, which share each forward pass of the policy, and for each a writer of the ring.
Nothing waits for a dead worker, nor longer than ``step_timeout`` for one that hangs: it is replaced, its slots of
the ring come back, and its episodes are played again.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
from collections import Counter, deque
from dataclasses import replace

from pyqmix.base import program_end
from pyqmix.base.errors import ConfigError, EnvError
from pyqmix.base.seeding import Stream
from pyqmix.config import Config
from pyqmix.nn import Agent
from pyqmix.nn.actor_weights import ActorWeights
from pyqmix.play.episodes import Outcome, Played, Ticket, in_order
from pyqmix.play.parcel import Parcel
from pyqmix.play.worker import Manner
from pyqmix.play.worker_process import WorkerProcess
from pyqmix.replay import EpisodeRing

DEATHS = 3  # of workers over one episode, before its environment is blamed
_GRACE = 5.0  # seconds that a worker has to end by itself
_REST = 0.25  # seconds after which a program that ends is noticed


class WorkerPool:
    """Processes with environments of one kind.

    Args:
        config: names the environment, and has the step_timeout.
        num_envs: environments of all workers together, at least one for each.
        ring: where episodes go, shared; None keeps none.
        num_workers: processes.

    Raises:
        ConfigError: the environment cannot be sent to a process.
    """

    def __init__(self, config: Config, num_envs: int, ring: EpisodeRing | None, num_workers: int) -> None:
        self.config, self.ring = config, ring
        self._sizes = [max(1, (num_envs + k) // num_workers) for k in range(num_workers)]
        # A fork of this process would inherit torch's threads in an unknown state.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["pyqmix.play.worker"])  # torch is imported once, not by each worker
        self._parcel = Parcel.of(config)
        self._workers: list[WorkerProcess] = []
        self._start_missing()

    @property
    def processes(self) -> list[int]:
        """The workers' process ids."""
        return [worker.process.pid for worker in self._workers if worker.process.pid is not None]

    def play(self, episodes: list[Ticket], manner: Manner) -> list[Outcome]:
        """Play episodes; a worker gets another one as soon as one of its environments is free.

        Raises:
            ConfigError: the workers cannot start.
            EnvError: an environment raised, gave something unusable, or hung or killed its process three times.
            RingBusyError: no slot of the ring was free.
            RuntimeError: a worker failed otherwise. The cause of each is the worker's traceback.
        """
        waiting, deaths = deque(episodes), Counter[int]()
        outcomes: list[Outcome] = []
        self._start_missing()
        for worker in self._workers:
            worker.has_weights = False
        try:
            while waiting or any(worker.open for worker in self._workers):
                self._hand_out(waiting, manner)
                for worker in self._heard():
                    arrived = worker.receive()
                    outcomes += arrived or []
                    if arrived is None or worker.is_late:
                        self._replace(worker, waiting, deaths)
        except BaseException:
            self._stop_playing()
            raise
        return outcomes

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.connection.close()
        for worker in self._workers:
            worker.process.join(_GRACE)
            worker.kill()
        self._workers.clear()

    def _start(self, num_envs: int) -> WorkerProcess:
        return WorkerProcess(self._context, self._parcel, num_envs, self.ring)

    def _start_missing(self) -> None:
        missing = Counter(self._sizes) - Counter(worker.num_envs for worker in self._workers)
        self._workers += [self._start(num_envs) for num_envs in missing.elements()]

    def _hand_out(self, waiting: deque[Ticket], manner: Manner) -> None:
        """Give each free environment the next episode, those of the workers with the most free ones first."""
        given: dict[int, list[Ticket]] = {}
        free = {k: each.num_envs - len(each.open) for k, each in enumerate(self._workers) if each.accepts}
        while waiting and max(free.values(), default=0) > 0:
            k = max(free, key=lambda worker: free[worker])
            free[k] -= 1
            given.setdefault(k, []).append(waiting.popleft())
        for k, worker in enumerate(self._workers):
            if k in given or (worker.in_series and not waiting):
                sent = replace(manner, weights=None) if worker.has_weights else manner
                worker.give(given.get(k, []), sent, last=not waiting)

    def _heard(self) -> list[WorkerProcess]:
        """Wait for workers that answer, end, or hang."""
        busy = [worker for worker in self._workers if worker.open]
        waited: list[object] = [worker.connection for worker in busy]
        waited += [worker.process.sentinel for worker in busy]
        limit = self.config.step_timeout or None
        left = [] if limit is None else [worker.heartbeat.seconds_left(limit) for worker in busy]
        ready = multiprocessing.connection.wait(waited, max(0.0, min([_REST, *left])))  # type: ignore[arg-type]
        program_end.rest()
        for worker in busy:
            worker.is_late = limit is not None and worker.heartbeat.seconds_left(limit) <= 0
        return [w for w in busy if w.is_late or w.connection in ready or w.process.sentinel in ready]

    def _replace(self, dead: WorkerProcess, waiting: deque[Ticket], deaths: Counter[int]) -> None:
        """Start another worker in a dead one's place, unless that has happened too often over one episode."""
        dead.kill()
        if not dead.heartbeat.begun and dead.process.exitcode == 1:
            raise ConfigError(
                "num_workers: the worker processes failed before they started, with the tracebacks above; each "
                'imports the main script, which must train inside of its `if __name__ == "__main__":`; or set '
                "num_workers 0"
            )
        place = dead.place
        deaths[place.episode] += 1
        if deaths[place.episode] >= DEATHS:
            raise EnvError(f"environment {self.config.task_name or self.config.env}, {place}: {self._cause(dead)}")
        waiting.extendleft(reversed(dead.open.values()))
        self._workers[self._workers.index(dead)] = self._start(dead.num_envs)

    def _cause(self, dead: WorkerProcess) -> str:
        if dead.is_late:
            return (
                f"{dead.place.call} took longer than step_timeout = {self.config.step_timeout:g} s, {DEATHS} times"
            )
        code = dead.process.exitcode
        return f"the worker that plays it died {DEATHS} times, the last time with exit code {code}"

    def _stop_playing(self) -> None:
        """End those in the middle of an episode or of a series: the ring takes their slots back."""
        playing = [worker for worker in self._workers if worker.open or worker.in_series]
        for worker in playing:
            worker.kill()
        self._workers = [worker for worker in self._workers if worker not in playing]


class WorkerRollout:
    """Plays episodes in a pool of workers.

    Episode k depends on (seed, k), the weights and epsilon alone, and lies in the ring where a single process
    would have put it: not on the number of workers, nor on which of them plays it, or dies.

    Args:
        pool: the workers.
        agent: the policy.
        seed: of the run, or of an evaluation.
        stream: the stream that the environments' seeds come from.
        into_ring: whether the pool's ring keeps the episodes.
    """

    def __init__(self, pool: WorkerPool, agent: Agent, seed: int, stream: Stream, into_ring: bool) -> None:
        self.pool, self.agent, self._seed, self._stream = pool, agent, seed, stream
        self._ring = pool.ring if into_ring else None

    def play(self, first: int, count: int, epsilon: float) -> Played:
        """Play the episodes first, ..., first + count - 1.

        Raises:
            ConfigError: the workers cannot start.
            EnvError: an environment raised, gave something unusable, or hung or killed its process three times.
            RingBusyError: no slot of the ring was free.
            RuntimeError: a worker failed otherwise. The cause of each is the worker's traceback.
        """
        ticket = None if self._ring is None else self._ring.reserve(count)
        episodes = [Ticket(first + k, None if ticket is None else ticket + k) for k in range(count)]
        weights = ActorWeights.of(self.agent)
        manner = Manner(self._seed, self._stream, epsilon, self._ring is not None, weights)
        return in_order(self.pool.play(episodes, manner), first)

    def apart(self, agent: Agent, seed: int, stream: Stream) -> WorkerRollout:
        """Return a rollout of other episodes in the same workers, which keeps none of them."""
        return WorkerRollout(self.pool, agent, seed, stream, into_ring=False)

    def close(self) -> None:
        """End the workers."""
        self.pool.close()
