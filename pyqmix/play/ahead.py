"""Plays the next episodes on a thread of its own while the caller takes training steps.

Threading contract: one thread uses a :class:`PlayAhead`. The policy that plays meanwhile has a copy of the weights
of the moment when the playing began, and its episodes lie in a ring of their own until the caller asks for
them. So the episodes and the batches depend on the order of the caller's calls alone, not on which thread
is the faster.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from threading import Thread

from pyqmix import _C
from pyqmix.base.seeding import Stream
from pyqmix.config import Config
from pyqmix.nn import Agent
from pyqmix.nn.actor_weights import ActorWeights
from pyqmix.play.create import AnyRollout, create_rollout
from pyqmix.play.episodes import Played
from pyqmix.replay import EpisodeRing, RingBusyError

_GRACE = 5.0  # seconds that playing has to end by itself when the run is over


def training_rollout(config: Config, agent: Agent, ring: EpisodeRing) -> PlayInTurn | PlayAhead:
    """Build the rollout of a run's training episodes: ahead of the training steps with ``--overlap``."""
    return (PlayAhead if config.overlap else PlayInTurn)(config, agent, ring)


def _rollout(config: Config, agent: Agent, ring: EpisodeRing) -> AnyRollout:
    seed, stream = config.seed, Stream.ENVIRONMENT
    return create_rollout(config, agent, seed, stream, config.num_envs, ring, config.num_workers)


@dataclass(frozen=True)
class _Ahead:
    """Episodes that lie in the ring of their own."""

    first: int
    count: int
    epsilon: float
    ticket: int
    played: Played


class PlayInTurn:
    """Plays episodes into a ring when the caller asks for them; the same calls as :class:`PlayAhead` has."""

    def __init__(self, config: Config, agent: Agent, ring: EpisodeRing) -> None:
        self._rollout = _rollout(config, agent, ring)

    def play(self, first: int, count: int, epsilon: float) -> Played:
        """Play the episodes first, ..., first + count - 1."""
        return self._rollout.play(first, count, epsilon)

    def meanwhile(self, first: int, count: int, epsilon: float) -> AbstractContextManager[None]:
        """Play nothing while the block runs."""
        return nullcontext()

    def apart(self, agent: Agent, seed: int, stream: Stream) -> AnyRollout:
        """Return a rollout of other episodes in the same environments, which keeps none of them."""
        return self._rollout.apart(agent, seed, stream)

    def close(self) -> None:
        """Close the environments."""
        self._rollout.close()


class PlayAhead:
    """Plays episodes into a ring, at once or while the caller does something else.

    The policy acts on the CPU, with one thread.

    Args:
        config: names the environment.
        agent: whose weights play, as they are when playing begins.
        ring: where the episodes go when the caller asks for them.
    """

    def __init__(self, config: Config, agent: Agent, ring: EpisodeRing) -> None:
        self._agent = agent
        self._actor = copy.deepcopy(agent).to("cpu").requires_grad_(False)
        # Twice as many slots, because native episodes claim half of a ring at a time.
        self._staged = EpisodeRing(ring.spec, 2 * config.num_envs, shared=ring.shared)
        self._transfer = _C.EpisodeTransfer(self._staged.native, ring.native)
        self._rollout = _rollout(config.replace(threads=1), self._actor, self._staged)
        self._ahead: _Ahead | None = None
        self._thread = _CallThread()

    def play(self, first: int, count: int, epsilon: float) -> Played:
        """Bring the episodes first, ..., first + count - 1 into the ring: played ahead, or else now.

        Args:
            first: the first episode's index in the stream.
            count: how many, at most ``num_envs``.
            epsilon: exploration.

        Raises:
            EnvError: an environment raised or gave something unusable.
            RingBusyError: no slot of the ring was free.
            RuntimeError: other episodes, or other exploration, have been played ahead.
        """
        ahead, self._ahead = self._ahead, None
        if ahead is None:
            self._take_weights()
            ahead = self._play(first, count, epsilon)
        if (ahead.first, ahead.count, ahead.epsilon) != (first, count, epsilon):
            raise RuntimeError(
                f"expected the episodes that were played ahead, {ahead.first} and {ahead.count - 1} more at "
                f"epsilon {ahead.epsilon}, got {first}, {count - 1} more and {epsilon}"
            )
        if self._transfer.copy(ahead.ticket, count) < count:
            raise RingBusyError("no slot of the ring is free: raise its capacity")
        return ahead.played

    @contextmanager
    def meanwhile(self, first: int, count: int, epsilon: float) -> Iterator[None]:
        """Play episodes, with the weights of now, while the block runs; its end waits for them.

        The next :meth:`play` must ask for the same ones. An exception of playing is raised at the block's end.
        After a block that raised, only :meth:`close` may be called.
        """
        self._take_weights()
        self._thread.start(partial(self._play, first, count, epsilon))
        yield
        self._ahead = self._thread.result()

    def apart(self, agent: Agent, seed: int, stream: Stream) -> AnyRollout:
        """Return a rollout of other episodes in the same environments; not to play inside of :meth:`meanwhile`."""
        return self._rollout.apart(agent, seed, stream)

    def close(self) -> None:
        """Close the environments, once they are not in use; does not wait long for that."""
        self._thread.start(self._rollout.close)
        self._thread.end(_GRACE)

    def _take_weights(self) -> None:
        ActorWeights.of(self._agent).load_into(self._actor)

    def _play(self, first: int, count: int, epsilon: float) -> _Ahead:
        ticket = self._staged.reserve(0)
        return _Ahead(first, count, epsilon, ticket, self._rollout.play(first, count, epsilon))


class _CallThread:
    """A thread that makes one call after another.

    A daemon, unlike those of concurrent.futures: a second Ctrl-C ends the process whatever it is doing.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], _Ahead | None] | None] = SimpleQueue()
        self._outcomes: SimpleQueue[_Ahead | BaseException | None] = SimpleQueue()
        self._thread = Thread(target=self._serve, name="pyqmix play ahead", daemon=True)

    def start(self, call: Callable[[], _Ahead | None]) -> None:
        """Make a call, after those before."""
        if not self._thread.is_alive():
            self._thread.start()
        self._calls.put(call)

    def result(self) -> _Ahead | None:
        """Wait for the oldest call that nobody has waited for; return its result or raise its exception."""
        outcome = self._outcomes.get()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def end(self, timeout: float) -> None:
        """End behind the calls so far, waiting at most ``timeout`` seconds; raise the last one's exception."""
        self._calls.put(None)
        self._thread.join(timeout)
        if self._thread.is_alive():
            return
        while self._outcomes.qsize() > 1:
            self._outcomes.get()
        self.result()

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                self._outcomes.put(call())
            except BaseException as error:
                self._outcomes.put(error)
