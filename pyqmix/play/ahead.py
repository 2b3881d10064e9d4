"""Plays the next episodes on a thread of its own while the caller takes training steps.

Threading contract: one thread uses a :class:`PlayAhead`. The policy that plays meanwhile has a copy of the weights
of the moment when the playing began, and its episodes lie in a ring of their own until the caller asks for
them. So the episodes and the batches depend on the order of the caller's calls alone, not on which thread
is the faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import torch

from pyqmix import _C
from pyqmix.base.call_thread import CallThread
from pyqmix.base.kernel_threads import kernel_threads_of
from pyqmix.base.seeding import Stream
from pyqmix.base.torch_threads import torch_threads
from pyqmix.config import Config
from pyqmix.nn import Agent
from pyqmix.nn.actor_weights import ActorWeights
from pyqmix.nn.copying import copied
from pyqmix.play.create import create_rollout
from pyqmix.play.episodes import Ahead, AnyRollout, Played
from pyqmix.replay import EpisodeRing, RingBusyError

_GRACE = 5.0  # seconds that playing has to end by itself when the run is over


class PlayAhead:
    """Plays episodes into a ring, at once or while the caller does something else.

    A native policy acts with one thread.

    Args:
        config: names the environment.
        agent: whose weights play, as they are when playing begins.
        ring: where the episodes go when the caller asks for them.

    Attributes:
        ahead: the episodes that were played ahead, and that nobody has asked for yet.
        staged: the ring that they lie in.
    """

    def __init__(self, config: Config, agent: Agent, ring: EpisodeRing) -> None:
        self._agent = agent
        self._actor = copied(agent).to("cpu").requires_grad_(False)
        # Twice as many slots, because native episodes claim half of a ring at a time.
        self.staged = EpisodeRing(ring.spec, 2 * config.num_envs, shared=ring.shared)
        self._transfer = _C.EpisodeTransfer(self.staged.native, ring.native)
        self._torch_threads = torch.get_num_threads()
        key = config.seed, Stream.ENVIRONMENT
        self._rollout = create_rollout(config, self._actor, *key, config.num_envs, self.staged, config.num_workers)
        self.ahead: Ahead | None = None
        self._playing = False
        self._thread: CallThread[Ahead | None] = CallThread("pyqmix play ahead")

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
        ahead, self.ahead = self.ahead, None
        behind = 0 if ahead is None else 1
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
        return ahead.played.behind(behind)

    def start(self, first: int, count: int, epsilon: float) -> None:
        """Begin to play episodes, with the weights of now; the next :meth:`play` must ask for the same ones.

        Nobody may play before :meth:`wait` has returned; where that raises, only :meth:`close` may be called.
        """
        self._take_weights()
        self._thread.start(partial(self._play, first, count, epsilon))
        self._playing = True

    def wait(self) -> None:
        """Wait for the episodes that :meth:`start` began to play; raises what playing raised."""
        if self._playing:
            self.ahead = self._thread.result()
            self._playing = False

    def settle(self) -> None:
        """Wait for nothing, because :meth:`wait` has."""

    def kept(self) -> list[Ahead]:
        """Return the episodes that were played ahead."""
        return [] if self.ahead is None else [self.ahead]

    def take_back(self, kept: Sequence[Ahead]) -> None:
        """Go on with episodes that were kept, and that lie in the ``staged`` ring again.

        Raises:
            ValueError: they are of several rounds.
        """
        if len(kept) > 1:
            raise ValueError(f"expected the episodes of one round that were played ahead, got {len(kept)} rounds")
        self.ahead = kept[0] if kept else None

    def apart(self, agent: Agent, seed: int, stream: Stream) -> AnyRollout:
        """Return a rollout of other episodes in the same environments; not to play before :meth:`wait`."""
        return self._rollout.apart(agent, seed, stream)

    def report(self) -> dict[str, float]:
        """Return no figures."""
        return {}

    def close(self) -> None:
        """Close the environments, once they are not in use; does not wait long for that."""
        self._thread.start(self._rollout.close)
        if self._thread.end(_GRACE):
            while self._thread.waiting > 1:  # of playing
                with suppress(BaseException):
                    self._thread.result()
            self._thread.result()

    def _take_weights(self) -> None:
        ActorWeights.of(self._agent).load_into(self._actor)

    def _play(self, first: int, count: int, epsilon: float) -> Ahead:
        ticket = self.staged.tickets
        with torch_threads(self._torch_threads), kernel_threads_of(1):
            played = self._rollout.play(first, count, epsilon)
        return Ahead(first, count, epsilon, ticket, 1, played)
