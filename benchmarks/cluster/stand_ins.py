"""Two stand-ins for the ``ray`` module, with which the real PlayerPool and PlayOnCluster have many players.

CrowdRay is Ray, with actors that answer from memory at once and import nothing of pyqmix. SimulatedRay has no
processes: a player is the moments at which its replies are there, and calls take as long as Ray's, by a clock that
other programs on the machine do not move.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np

from pyqmix import EpisodeRing
from pyqmix._C import __version__
from pyqmix.play.cluster import pool
from pyqmix.play.cluster.orders import Greeting, Order, Reply
from pyqmix.play.episodes import Played
from pyqmix.replay.packed import pack


@contextmanager
def used(stand_in: Any) -> Iterator[None]:
    """Let pools that are made in this block use a stand-in."""
    with mock.patch.multiple(pool, connect=lambda *_, **__: stand_in, disconnect=lambda: None):
        yield


class Recorded:
    """The class of a Ray actor that has the replies to all orders, by their first episodes."""

    def __init__(self, replies: dict[int, Any]) -> None:
        self._replies = replies

    def begin(self) -> str:
        """Be ready."""
        return "ready"

    def play(self, first: int, weights: Any) -> Any:
        """Reply."""
        return self._replies[first]


class CrowdRay:
    """Ray with :class:`Recorded` actors, which take no CPU of the cluster's.

    Args:
        ray: the module.
        replies: to the orders, by their first episodes.
    """

    def __init__(self, ray: Any, replies: dict[int, Reply]) -> None:
        self._ray = ray
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        plain = {k: (x.played.returns, x.played.lengths, np.array(x.packed)) for k, x in replies.items()}
        self._replies, self._class = ray.put(plain), ray.remote(Recorded)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ray, name)

    def remote(self, _: type) -> Any:
        """Return the class of an actor."""
        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=self._actor))

    def put(self, weights: Any) -> Any:
        """Put the weights, as an array that needs no module of pyqmix."""
        return self._ray.put(weights.block)

    def get(self, reference: Any) -> Any:
        """Get a reply, or a greeting."""
        said = self._ray.get(reference)
        return _greeting() if said == "ready" else Reply(Played(said[0], said[1]), said[2])

    def kill(self, actor: Any) -> None:
        """End an actor."""
        self._ray.kill(actor.real)

    def _actor(self, *_: Any) -> Any:
        real = self._class.options(num_cpus=0, scheduling_strategy="SPREAD").remote(self._replies)
        play = SimpleNamespace(remote=lambda order, weights: real.play.remote(order.span.first, weights))
        return SimpleNamespace(real=real, begin=real.begin, play=play)


class Clock:
    """The CPU time of this thread, and the time in which it would have waited."""

    def __init__(self) -> None:
        self._skipped = 0.0

    def now(self) -> float:
        """Return the seconds."""
        return time.thread_time() + self._skipped

    def pass_until(self, moment: float) -> None:
        """Let time pass, without waiting."""
        self._skipped += max(0.0, moment - self.now())

    @contextmanager
    def taking(self, seconds: float) -> Iterator[None]:
        """Let the block take at least this long."""
        end = self.now() + seconds
        yield
        self.pass_until(end)


class SimulatedRay:
    """Simulated players.

    Args:
        costs: seconds that ``put``, ``call``, ``get`` and ``wait`` take; the last one of a number of references.
        seconds: returns how long a player plays an order.
        ring: its first episodes are the replies' content.
        clock: by which all this takes its time.
    """

    exceptions = SimpleNamespace(RayTaskError=ZeroDivisionError, RayError=ZeroDivisionError)

    def __init__(self, costs: Any, seconds: Callable[[Order], float], ring: EpisodeRing, clock: Clock) -> None:
        self._costs, self._seconds, self.ring, self._clock = costs, seconds, ring, clock
        self._lengths = np.full(len(ring), 50)

    def remote(self, _: type) -> Any:
        """Return the class of an actor."""
        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=self._actor))

    def put(self, thing: Any) -> Any:
        """Make something available."""
        with self._clock.taking(self._costs.put):
            return thing

    def kill(self, actor: Any) -> None:
        """End a player."""

    def wait(self, references: list[Any], num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
        """Wait for replies."""
        with self._clock.taking(self._costs.wait(len(references))):
            now = self._clock.now()
            there = [each for each in references if each.moment <= now]
        if not there and timeout > 0:
            self._clock.pass_until(min(min(each.moment for each in references), now + timeout))
            there = [each for each in references if each.moment <= self._clock.now()]
        return there[:num_returns], []

    def get(self, reference: Any) -> Any:
        """Get a reply, or a greeting."""
        if reference.order is None:
            return _greeting()
        with self._clock.taking(self._costs.get):
            span = reference.order.span
            packed = pack(self.ring, 0, span.first, span.count)
            return Reply(Played(np.zeros(span.count), self._lengths[: span.count]), packed)

    def _actor(self, *_: Any) -> Any:
        state = SimpleNamespace(free=0.0)

        def play(order: Order, weights: Any) -> Any:
            with self._clock.taking(self._costs.call):
                state.free = max(state.free, self._clock.now()) + self._seconds(order)
                return _Reference(state.free, order)

        begin = SimpleNamespace(remote=lambda: _Reference(0.0, None))
        return SimpleNamespace(begin=begin, play=SimpleNamespace(remote=play))


class _Reference:
    def __init__(self, moment: float, order: Order | None) -> None:
        self.moment, self.order = moment, order


def _greeting() -> Greeting:
    return Greeting(__version__, "here", "node")
