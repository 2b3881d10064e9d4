"""Faults that a check plants into a trainer to show that it would see them; each is called before main."""

import contextlib
import dataclasses

import numpy as np

import pyqmix.base.files
import pyqmix.cli.train
from pyqmix.play.cluster import training
from pyqmix.play.cluster.pool import PlayerPool
from pyqmix.replay import EpisodeRing, EpisodeSampler
from pyqmix.replay.packed import Receiver, pack
from pyqmix.run import draft, lock, manifest, metrics, state


def forget_sampler() -> None:
    """Resume without the sampler's place in its random stream."""
    EpisodeSampler.load_state = lambda self, state: None


def forget_due_updates() -> None:
    """Resume without the fraction of a training step that was due."""
    read = state.read_progress
    state.read_progress = lambda found: dataclasses.replace(read(found), due_updates=0.0)


def believe_writes() -> None:
    """Take a short write for a whole one."""
    write = pyqmix.base.files.os.write

    class Believing:
        def __getattr__(self, name: str) -> object:
            return getattr(pyqmix_os, name)

        @staticmethod
        def write(descriptor: int, data: bytes) -> int:
            write(descriptor, data)
            return len(data)

    pyqmix_os = pyqmix.base.files.os
    pyqmix.base.files.os = Believing()


def leave_out_fsync() -> None:
    """Never wait for the disk."""
    for module in (pyqmix.base.files, draft, metrics):
        module.flush = lambda path: None


def leave_out_lock() -> None:
    """Take the lock of a run whoever holds it."""
    lock.lock = lambda descriptor: True


def let_errors_escape() -> None:
    """End with a traceback where a file cannot be written."""
    pyqmix.cli.train.USER_ERRORS = ()


def leave_out_checksums() -> None:
    """Take every checksum for the right one."""
    manifest.hashlib = type("", (), {"sha256": lambda data: type("", (), {"hexdigest": lambda: AnyText()})})
    manifest.Manifest._require_ring = lambda self, name: None


def take_twice() -> None:
    """Publish each reply of a cluster's players a second time."""
    receive = Receiver.receive
    Receiver.receive = lambda self, packed: (receive(self, packed), receive(self, packed))[0]


def publish_twice() -> None:
    """The same into slots of its own, so that nothing refuses it."""
    expect, receive = Receiver.expect, Receiver.receive

    def noted_expect(self: Receiver, first: int, count: int) -> None:
        self.span, self.came = (first, count), []
        expect(self, first, count)

    def receive_twice(self: Receiver, packed: object) -> None:
        receive(self, packed)
        self.came.append(packed)
        if not self.missing():
            expect(self, *self.span)
            for each in self.came:
                receive(self, each)

    Receiver.expect, Receiver.receive = noted_expect, receive_twice


def answer_another_order() -> None:
    """Give each second reply of a cluster's players to the order after it too."""
    take, last = PlayerPool._take, []

    def take_wrongly(self: PlayerPool, seat: object, reference: object) -> None:
        task = seat.open.get(reference)
        take(self, seat, reference)
        if task is not None and task.reply is not None:
            if last:
                task.reply = last.pop()
            else:
                last.append(task.reply)

    PlayerPool._take = take_wrongly


def lose_a_reply() -> None:
    """Forget to publish a round's first reply."""
    receive = Receiver.receive
    Receiver.receive = lambda self, packed: None if 0 in self.missing() else receive(self, packed)


def lose_an_episode() -> None:
    """The same, and not see that it is missing."""
    receive, missing = Receiver.receive, Receiver.missing
    Receiver.receive = lambda self, packed: None if 0 in missing(self) else receive(self, packed)
    Receiver.missing = lambda self: []


def tear_a_reply() -> None:
    """Change a byte of what a player sends."""
    receive = Receiver.receive

    def receive_torn(self: Receiver, packed: object) -> None:
        torn = packed.copy()
        torn[len(torn) // 2] ^= 1
        receive(self, torn)

    Receiver.receive = receive_torn


def play_others() -> None:
    """Send an order's first episode under the numbers of all others too, with right checksums."""
    publish = training._publish

    def publish_others(reply: object, receiver: Receiver) -> None:
        ring, count = EpisodeRing(receiver._ring.spec, 64), len(reply.played.returns)
        first = receiver.missing()[0]
        between = Receiver(ring)
        between.expect(first, count)
        with contextlib.suppress(ValueError):  # the second order may come first
            between.receive(reply.packed)
            reply = dataclasses.replace(
                reply, packed=np.concatenate([pack(ring, 0, first + k, 1) for k in range(count)])
            )
        publish(reply, receiver)

    training._publish = publish_others


class AnyText(str):
    """Equals every text."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False
