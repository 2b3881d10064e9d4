"""The process that plays episodes of Python environments for a :class:`pyqmix.play.workers.WorkerPool`.

It attaches to the trainer's ring and writes its episodes straight into it. It ends when the trainer says so,
or when the trainer's end of the pipe is gone, however that died.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

import torch

from pyqmix.base.seeding import Stream
from pyqmix.base.signals import survive
from pyqmix.config.networks import network_spec
from pyqmix.envs.importing import closing
from pyqmix.envs.worlds import Worlds
from pyqmix.nn import Agent, make_agent
from pyqmix.nn.actor_weights import ActorWeights
from pyqmix.play.episodes import Ticket
from pyqmix.play.failure import failure
from pyqmix.play.heartbeat import NO_EPISODE, Heartbeat
from pyqmix.play.parcel import unpack
from pyqmix.play.rollout import Rollout
from pyqmix.play.worlds import create_worlds
from pyqmix.replay import EpisodeRing

SAFE_PATH = ("PYTHONSAFEPATH", "pyqmix")  # in the environment of the workers' server


@dataclass(frozen=True)
class Manner:
    """How episodes are to be played.

    Attributes:
        seed: of the run, or of an evaluation.
        stream: the stream that the episodes' seeds come from.
        epsilon: exploration.
        into_ring: whether the ring keeps the episodes.
        weights: the policy's; None where they are those of the manner before.
    """

    seed: int
    stream: Stream
    epsilon: float
    into_ring: bool
    weights: ActorWeights | None


@dataclass(frozen=True)
class Order:
    """Episodes to play.

    Attributes:
        episodes: which.
        manner: of the first order of a series; None in the others.
        last: no further order of this series follows.
    """

    episodes: tuple[Ticket, ...]
    manner: Manner | None
    last: bool


class _TrainerIsGone(Exception):  # noqa: N818 (no error)
    pass


def serve(
    connection: Connection, packed: bytes, num_envs: int, ring: EpisodeRing | None, heartbeat: Heartbeat
) -> None:
    """Play the episodes that are ordered through the connection until it closes.

    Args:
        connection: to the trainer.
        packed: of a :class:`pyqmix.play.parcel.Parcel`.
        num_envs: how many environments to build.
        ring: where episodes go; None keeps none.
        heartbeat: tells the trainer which environment works.
    """
    heartbeat.begin()
    survive()  # signals are for the trainer, which ends its workers
    if os.environ.get(SAFE_PATH[0]) == SAFE_PATH[1]:
        del os.environ[SAFE_PATH[0]]  # it was for the server alone
    torch.set_num_threads(1)
    name = "of this worker"
    try:
        config = unpack(packed)
        name = config.task_name or config.env
        heartbeat.enter(NO_EPISODE, 0)
        worlds = create_worlds(config, num_envs)
        with closing(worlds, _tell):
            heartbeat.leave()
            agent = make_agent(network_spec(worlds.spec, config))
            _Player(connection, worlds, agent, ring, heartbeat).serve()
    except _TrainerIsGone:
        pass
    except BaseException as error:  # signals raise nothing here, so that it is the environment's
        with suppress(OSError):  # the trainer is gone
            connection.send(failure(error, f"environment {name}, {heartbeat.place}: {heartbeat.place.call}"))


def _tell(line: str) -> None:
    """Write a line where the trainer's messages go, which may have ended."""
    with suppress(OSError):
        print(f"pyqmix: in a worker process: {line}", file=sys.stderr, flush=True)


class _Player:
    """Plays series of episodes in the same worlds."""

    def __init__(
        self,
        connection: Connection,
        worlds: Worlds,
        agent: Agent,
        ring: EpisodeRing | None,
        heartbeat: Heartbeat,
    ) -> None:
        self._connection, self._worlds, self._agent = connection, worlds, agent
        self._ring, self._heartbeat = ring, heartbeat
        self._rollouts: dict[tuple[int, Stream, bool], Rollout] = {}
        self._waiting: deque[Ticket] = deque()
        self._more = False

    def serve(self) -> None:
        """Play one series after another."""
        while True:
            manner = self._receive()
            assert manner is not None
            if manner.weights is not None:
                manner.weights.load_into(self._agent)
            self._rollout(manner).play_each(self._take, self._connection.send, manner.epsilon)

    def _rollout(self, manner: Manner) -> Rollout:
        key = manner.seed, manner.stream, manner.into_ring
        if key not in self._rollouts:
            ring = self._ring if manner.into_ring else None
            self._rollouts[key] = Rollout(
                self._worlds, self._agent, manner.seed, manner.stream, ring, self._heartbeat
            )
        return self._rollouts[key]

    def _take(self, wait: bool) -> Ticket | None:
        while not self._waiting and self._more and (wait or self._connection.poll()):
            self._receive()
        return self._waiting.popleft() if self._waiting else None

    def _receive(self) -> Manner | None:
        try:
            order: Order = self._connection.recv()
        except (EOFError, OSError):
            raise _TrainerIsGone from None
        self._waiting.extend(order.episodes)
        self._more = not order.last
        return order.manner
