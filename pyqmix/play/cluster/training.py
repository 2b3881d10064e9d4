"""Plays the training episodes of a run on a cluster, in turn or some rounds ahead.

A round of episodes is ordered with the newest weights and an index. Rounds are taken in their order, whenever
their players are done. So the episodes and the batches depend on the seed and on ``max_staleness`` alone: not on
the number of players, on which is the faster, nor on one that dies. A round that is not wanted yet waits in Ray's
object store, and no more than ``max_staleness`` rounds are ordered ahead, so that players that are faster than the
learner wait for it.

Threading contract: one thread uses a :class:`PlayOnCluster`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from pyqmix.base.seeding import Stream
from pyqmix.base.spec import EpisodeSpec
from pyqmix.config import Config
from pyqmix.nn import Agent
from pyqmix.play.cluster.orders import Order, Reply, Span
from pyqmix.play.cluster.pool import PlayerPool
from pyqmix.play.cluster.rollout import ClusterRollout, played, tasks_of
from pyqmix.play.cluster.seat import Task
from pyqmix.play.episodes import Ahead, Played
from pyqmix.replay import EpisodeRing
from pyqmix.replay.packed import Receiver, pack


@dataclass(frozen=True)
class _Round:
    """Episodes that were ordered together.

    Attributes:
        order: all of them.
        begun: how many rounds of training had begun when the weights were taken.
        tasks: the parts of the order.
    """

    order: Order
    begun: int
    tasks: list[Task]


class PlayOnCluster:
    """Plays episodes into a ring by players of a cluster; the same calls as the other training rollouts have.

    Args:
        config: names the environment, the cluster, the number of players and max_staleness.
        spec: the sizes of an episode, as the environment tells them.
        agent: whose weights play, as they are when a round is ordered.
        ring: where the episodes go.
        say: writes a line for the user.
        may_wait: is called while there is no player, and raises where the program is to end.
    """

    def __init__(
        self,
        config: Config,
        spec: EpisodeSpec,
        agent: Agent,
        ring: EpisodeRing,
        say: Callable[[str], None],
        may_wait: Callable[[], None] = lambda: None,
    ) -> None:
        self._config, self._spec, self._agent = config, spec, agent
        self._receiver, self.pool = Receiver(ring), PlayerPool(config, spec, say, may_wait)
        self._rounds: deque[_Round] = deque()
        self._begun = 0

    def play(self, first: int, count: int, epsilon: float) -> Played:
        """Bring the episodes first, ..., first + count - 1 into the ring: ordered ahead, or else now.

        Raises:
            EnvError: an environment raised, gave something unusable, or hung or killed its process three times.
            RingBusyError: no slot of the ring was free.
            RuntimeError: a player failed otherwise, or other episodes have been ordered ahead.
        """
        if not self._rounds:
            self._order(Span(first, count), epsilon)
        taken = self._rounds[0]
        if taken.order.span != Span(first, count):
            raise RuntimeError(f"expected {taken.order.span}, which were ordered, got {Span(first, count)}")
        self._receiver.expect(first, count)
        self.pool.finish(taken.tasks, partial(_publish, receiver=self._receiver))
        if missing := self._receiver.missing():
            raise RuntimeError(f"expected {taken.order.span}, but the players sent none of {missing}")
        self._rounds.popleft()
        return played(taken.tasks).behind(self._begun - taken.begun)

    def start(self, first: int, count: int, epsilon: float) -> None:
        """Order further rounds, of which the next one is given, until ``max_staleness`` are ahead."""
        for k in range(len(self._rounds), self._config.max_staleness):
            self._order(Span(first + k * count, count), epsilon)
        self._begun += 1

    def wait(self) -> None:
        """Wait for nothing, as the players have weights of their own."""

    def settle(self) -> None:
        """Wait until the episodes that were ordered ahead are there.

        Raises:
            EnvError: as for :meth:`play`.
            RuntimeError: a player failed otherwise.
        """
        for each in self._rounds:
            self.pool.finish(each.tasks)

    def kept(self) -> list[Ahead]:
        """Return the rounds that are there, up to the first that is not, after bringing them into ``staged``."""
        self.__dict__.pop("staged", None)
        receiver, kept = Receiver(self.staged), list[Ahead]()
        for each in list(self._rounds)[: self._config.max_staleness]:
            if any(task.reply is None for task in each.tasks):
                break
            span, ticket = each.order.span, self.staged.tickets
            receiver.expect(span.first, span.count)
            for task in each.tasks:
                _publish(task.reply, receiver)
            behind = self._begun - each.begun
            kept.append(Ahead(span.first, span.count, each.order.epsilon, ticket, behind, played(each.tasks)))
        return kept

    def take_back(self, kept: Sequence[Ahead]) -> None:
        """Go on with rounds that were kept, and that lie in the ``staged`` ring again."""
        for each in kept:
            packed = pack(self.staged, each.ticket, each.first, each.count)
            order = self._order_of(Span(each.first, each.count), each.epsilon)
            task = Task(order, None, Reply(each.played, packed))
            self._rounds.append(_Round(order, self._begun - each.behind, [task]))

    @cached_property
    def staged(self) -> EpisodeRing:
        """A ring with room for the episodes that are ordered ahead."""
        return EpisodeRing(self._spec, self._config.num_envs * max(1, self._config.max_staleness))

    def apart(self, agent: Agent, seed: int, stream: Stream) -> ClusterRollout:
        """Return a rollout of other episodes by the same players, which keeps none of them."""
        return ClusterRollout(self.pool, agent, seed, stream)

    def report(self) -> dict[str, float]:
        """Return figures for the end of a run."""
        return self.pool.report()

    def close(self) -> None:
        """End the players."""
        self.pool.close()

    def _order(self, span: Span, epsilon: float) -> None:
        order = self._order_of(span, epsilon)
        tasks = tasks_of(self.pool, self._agent, order)
        self._rounds.append(_Round(order, self._begun, tasks))
        self.pool.submit(tasks)

    def _order_of(self, span: Span, epsilon: float) -> Order:
        return Order(span, self._config.seed, Stream.ENVIRONMENT, epsilon, sends=True)


def _publish(reply: Reply | None, receiver: Receiver) -> None:
    assert reply is not None
    assert reply.packed is not None
    receiver.receive(reply.packed)
