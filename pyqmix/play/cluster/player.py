"""The process of a cluster that plays episodes; the class of its Ray actor.

Threading contract: Ray calls one method at a time.
"""

from __future__ import annotations

import os
import platform
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import TypeVar

import torch

from pyqmix._C import __version__
from pyqmix.base.seeding import Stream
from pyqmix.base.signals import survive
from pyqmix.base.spec import EpisodeSpec
from pyqmix.config import Config
from pyqmix.config.networks import network_spec
from pyqmix.nn import make_agent
from pyqmix.nn.actor_weights import ActorWeights
from pyqmix.play.alarm import Alarm
from pyqmix.play.cluster.note import Note
from pyqmix.play.cluster.orders import Greeting, Order, Reply
from pyqmix.play.create import create_rollout
from pyqmix.play.episodes import AnyRollout
from pyqmix.play.failure import Failure, failure
from pyqmix.play.parcel import unpack
from pyqmix.replay import EpisodeRing
from pyqmix.replay.packed import pack

_GRACE = 2.0  # seconds that the process has to leave a note and end by itself
T = TypeVar("T")


class Player:
    """Plays the orders of a trainer, in environments of its own.

    Args:
        name: of this player, by which it leaves a note when it must end.
        packed: of a :class:`pyqmix.play.parcel.Parcel`.
        path: the folders where the trainer looks for modules, which are searched last here.
        num_envs: how many episodes it plays side by side, and the most that an order may ask for.
        spec: the sizes of an episode.
    """

    def __init__(self, name: str, packed: bytes, path: Sequence[str], num_envs: int, spec: EpisodeSpec) -> None:
        sys.path.extend(folder for folder in path if folder not in sys.path)
        self._note, self._packed, self._num_envs, self._spec = Note(name), packed, num_envs, spec
        self._ring = EpisodeRing(spec, 2 * num_envs)  # native episodes claim half of a ring at a time
        self._name = "of this player"
        self._rollouts: dict[tuple[int, Stream], AnyRollout] = {}

    def begin(self) -> Greeting | Failure:
        """Build the environments and the agent network."""
        survive()  # signals are for the trainer, whose end ends its players
        torch.set_num_threads(1)
        return self._guarded("its constructor", self._begin)

    def play(self, order: Order, weights: ActorWeights) -> Reply | Failure:
        """Play episodes with the weights of a policy."""
        return self._guarded(f"{order.span}: an environment", lambda: self._play(order, weights))

    def _begin(self) -> Greeting:
        self._note.leave("its process ended")
        config = unpack(self._packed)
        self._name = config.task_name or config.env
        self._agent = make_agent(network_spec(self._spec, config))
        key = config.seed, Stream.ENVIRONMENT
        self._rollouts[key] = create_rollout(
            config, self._agent, *key, self._num_envs, self._ring, alarm=partial(_FatalAlarm, self._note)
        )
        self._note.take()
        return Greeting(__version__, platform.node(), import_module("ray").get_runtime_context().get_node_id())

    def _play(self, order: Order, weights: ActorWeights) -> Reply:
        weights.load_into(self._agent)
        key = order.seed, order.stream
        if key not in self._rollouts:
            training = next(iter(self._rollouts.values()))
            self._rollouts[key] = training.apart(self._agent, *key)
        ticket, first, count = self._ring.tickets, order.span.first, order.span.count
        played = self._rollouts[key].play(first, count, order.epsilon)
        return Reply(played, pack(self._ring, ticket, first, count) if order.sends else None)

    def _guarded(self, call: str, work: Callable[[], T]) -> T | Failure:
        """Return the result of a piece of work, or the exception that it raises."""
        try:
            return work()
        except BaseException as error:  # signals raise nothing here, so that it is the environment's
            return failure(error, f"environment {self._name}, {call}")


class _FatalAlarm(Alarm):
    """Ends this process where an environment takes too long, so that its episodes are played elsewhere."""

    def __init__(self, note: Note, config: Config, trains: bool) -> None:
        self._note = note
        super().__init__(config, trains=trains)

    def enter(self, episode: int, step: int) -> None:
        """Take note that an environment works; let the kernel end the process where no thread of Python can."""
        super().enter(episode, step)
        if self._limit:
            signal.setitimer(signal.ITIMER_REAL, self._limit + _GRACE)  # SIGALRM, whose own action needs no GIL

    def leave(self) -> None:
        """Take note that no environment works."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        super().leave()

    def is_late(self, said: str) -> None:
        """Leave a note, and end the process."""
        try:
            self._note.leave(said)
        finally:
            os._exit(1)
