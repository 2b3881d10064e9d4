"""The process that plays episodes of a Python environment for a :class:`pyqmix.play.workers.WorkerRollout`.

It attaches to the trainer's ring and writes its episodes straight into it. It ends when the trainer says so,
or when the trainer's end of the pipe is gone, however that died.
"""

from __future__ import annotations

import signal
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection

import torch

from pyqmix.base.seeding import Stream
from pyqmix.config import Config
from pyqmix.config.networks import network_spec
from pyqmix.nn import Agent, make_agent
from pyqmix.nn.actor_weights import ActorWeights
from pyqmix.play.episodes import Outcome, Ticket
from pyqmix.play.rollout import Rollout
from pyqmix.replay import EpisodeRing


@dataclass(frozen=True)
class Job:
    """One episode to play.

    Attributes:
        episode: its index in the stream.
        ticket: of the ring, which decides the slot that it lies in.
        epsilon: exploration.
        weights: the policy's; None where they are those of the job before.
    """

    episode: int
    ticket: int | None
    epsilon: float
    weights: ActorWeights | None


@dataclass(frozen=True)
class Failure:
    """An exception, or a RuntimeError with the text of one that cannot be passed on, and its traceback."""

    error: Exception
    traceback: str


def serve(connection: Connection, config: Config, seed: int, stream: Stream, ring: EpisodeRing | None) -> None:
    """Play the jobs that come through the connection until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the trainer, which ends its workers
    torch.set_num_threads(1)
    try:
        env = config.create_env()
        agent = make_agent(network_spec(env.spec, config))
        rollout = Rollout([env], agent, seed, stream, ring)
        while (job := _receive(connection)) is not None:
            connection.send(_play(rollout, agent, job))
    except Exception as error:
        connection.send(_failure(error))


def _receive(connection: Connection) -> Job | None:
    try:
        job: Job = connection.recv()
    except (EOFError, OSError):
        return None
    return job


def _play(rollout: Rollout, agent: Agent, job: Job) -> Outcome:
    if job.weights is not None:
        job.weights.load_into(agent)
    waiting = iter([Ticket(job.episode, job.ticket)])
    done: list[Outcome] = []
    rollout.play_each(lambda wait: next(waiting, None), done.append, job.epsilon)
    return done[0]


def _failure(error: Exception) -> Failure:
    text = "".join(traceback.format_exception(error))
    if type(error).__module__.startswith("pyqmix.") or isinstance(error, MemoryError):
        return Failure(type(error)(*error.args), text)
    return Failure(RuntimeError(f"a worker failed: {type(error).__name__}: {error}"), text)
