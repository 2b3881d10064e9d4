"""Plays episodes of Python environments in worker processes that share the ring.

Threading contract: one thread at a time may use a rollout. Its workers are its own: each has one environment
and one writer of the ring. Nothing waits for a dead worker: it is replaced, its slot of the ring comes back,
and its episode is played again.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
from collections import deque
from dataclasses import dataclass

from pyqmix.base.errors import EnvError
from pyqmix.base.seeding import Stream
from pyqmix.config import Config
from pyqmix.nn import Agent
from pyqmix.nn.actor_weights import ActorWeights
from pyqmix.play.episodes import Outcome, Played, in_order
from pyqmix.play.worker import Failure, Job, serve
from pyqmix.replay import EpisodeRing

DEATHS = 3  # of workers over one episode, before its environment is blamed
_GRACE = 5.0  # seconds that a worker has to end by itself


class WorkerTraceback(Exception):  # noqa: N818 (only an error's cause)
    """The traceback of a worker's exception, which that exception has as its cause."""

    def __str__(self) -> str:
        return "\n" + str(self.args[0])


@dataclass
class _Worker:
    process: multiprocessing.process.BaseProcess
    connection: multiprocessing.connection.Connection
    job: Job | None = None
    has_weights: bool = False


class WorkerRollout:
    """Plays episodes in processes, one environment in each.

    Episode k depends on (seed, k), the weights and epsilon alone, and lies in the ring where a single process
    would have put it: not on the number of workers, nor on which of them plays it, or dies.

    Args:
        config: names the environment.
        agent: the policy.
        seed: of the run.
        stream: the stream that the environments' seeds come from.
        ring: where the episodes go, shared; None plays without keeping them.
        num_workers: processes.
    """

    def __init__(
        self,
        config: Config,
        agent: Agent,
        seed: int,
        stream: Stream,
        ring: EpisodeRing | None,
        num_workers: int,
    ) -> None:
        self._config, self.agent, self._seed, self._stream, self._ring = config, agent, seed, stream, ring
        # A fork of this process would inherit torch's threads in an unknown state.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["pyqmix"])  # torch is imported once, not by every worker
        self._workers = [self._start() for _ in range(num_workers)]

    @property
    def processes(self) -> list[int]:
        """The workers' process ids."""
        return [worker.process.pid for worker in self._workers if worker.process.pid is not None]

    def play(self, first: int, count: int, epsilon: float) -> Played:
        """Play the episodes first, ..., first + count - 1; every worker takes the next one when free.

        Raises:
            EnvError: an environment raised, gave something unusable, or killed its process again and again.
            RingBusyError: no slot of the ring was free.
            RuntimeError: a worker failed otherwise. The cause of each is the worker's traceback.
        """
        ticket = None if self._ring is None else self._ring.reserve(count)
        weights = ActorWeights.of(self.agent)
        waiting = deque(
            Job(first + k, None if ticket is None else ticket + k, epsilon, weights) for k in range(count)
        )
        outcomes: list[Outcome] = []
        deaths: dict[int, int] = {}
        for worker in self._workers:
            worker.has_weights = False
        try:
            while waiting or any(worker.job for worker in self._workers):
                self._hand_out(waiting)
                for worker in self._heard():
                    outcome = self._receive(worker)
                    if outcome is None:
                        self._replace(worker, waiting, deaths)
                        continue
                    worker.job = None
                    outcomes.append(outcome)
        except BaseException:
            self._stop_playing()
            raise
        return in_order(outcomes, first)

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.connection.close()
        for worker in self._workers:
            worker.process.join(_GRACE)
            _kill(worker)
        self._workers.clear()

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        arguments = (theirs, self._config, self._seed, self._stream, self._ring)
        process = self._context.Process(target=serve, args=arguments, daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _hand_out(self, waiting: deque[Job]) -> None:
        for worker in self._workers:
            if worker.job is not None or not waiting:
                continue
            worker.job = job = waiting.popleft()
            weights = None if worker.has_weights else job.weights
            worker.has_weights = True
            try:
                worker.connection.send(Job(job.episode, job.ticket, job.epsilon, weights))
            except OSError:  # it has died, which _heard will tell
                continue

    def _heard(self) -> list[_Worker]:
        """Wait for workers that answer or end."""
        busy = [worker for worker in self._workers if worker.job is not None]
        waited: list[object] = [worker.connection for worker in busy]
        waited += [worker.process.sentinel for worker in busy]
        ready = multiprocessing.connection.wait(waited)  # type: ignore[arg-type]
        return [worker for worker in busy if worker.connection in ready or worker.process.sentinel in ready]

    def _receive(self, worker: _Worker) -> Outcome | None:
        """Return a worker's outcome, or None if it has died without one."""
        try:
            said: Outcome | Failure | None = worker.connection.recv() if worker.connection.poll() else None
        except (EOFError, OSError):
            return None
        if isinstance(said, Failure):
            raise said.error from WorkerTraceback(said.traceback)
        return said

    def _replace(self, dead: _Worker, waiting: deque[Job], deaths: dict[int, int]) -> None:
        _kill(dead)
        job = dead.job
        assert job is not None
        deaths[job.episode] = deaths.get(job.episode, 0) + 1
        if deaths[job.episode] >= DEATHS:
            raise EnvError(
                f"environment {self._config.task_name or self._config.env}, episode {job.episode}: the worker "
                f"that plays it died {DEATHS} times, the last time with exit code {dead.process.exitcode}"
            )
        waiting.appendleft(job)
        self._workers[self._workers.index(dead)] = self._start()

    def _stop_playing(self) -> None:
        """Replace those in the middle of an episode: the ring takes their slots back."""
        for place, worker in enumerate(self._workers):
            if worker.job is not None:
                _kill(worker)
                self._workers[place] = self._start()


def _kill(worker: _Worker) -> None:
    worker.connection.close()
    if worker.process.is_alive():
        worker.process.kill()
    worker.process.join()
