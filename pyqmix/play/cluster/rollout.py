"""Plays episodes on a cluster, without keeping them, as evaluations do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pyqmix.base.seeding import Stream
from pyqmix.nn import Agent
from pyqmix.nn.actor_weights import ActorWeights
from pyqmix.play.cluster.orders import Order, Span
from pyqmix.play.cluster.pool import PlayerPool
from pyqmix.play.cluster.seat import Task
from pyqmix.play.episodes import Played, joined


def tasks_of(pool: PlayerPool, agent: Agent, order: Order) -> list[Task]:
    """Split an order into tasks for the players, all with the weights that an agent has now."""
    weights, size = (
        pool.put(ActorWeights.of(agent)),
        pool.order_size if order.sends else pool.size_for(order.span.count),
    )
    return [Task(replace(order, span=span), weights) for span in order.span.parts(size)]


def played(tasks: Sequence[Task]) -> Played:
    """Join the results of tasks that are done."""
    return joined([task.reply.played for task in tasks if task.reply is not None])


class ClusterRollout:
    """Plays episodes by a pool's players.

    Episode k depends on (seed, k), the weights and epsilon: not on the number of players, nor on which of them
    plays it, or dies.

    Args:
        pool: the players.
        agent: the policy.
        seed: of an evaluation.
        stream: the stream that the environments' seeds come from.
    """

    def __init__(self, pool: PlayerPool, agent: Agent, seed: int, stream: Stream) -> None:
        self._pool, self._agent, self._seed, self._stream = pool, agent, seed, stream

    def play(self, first: int, count: int, epsilon: float) -> Played:
        """Play the episodes first, ..., first + count - 1; the errors are those of :meth:`PlayerPool.finish`."""
        order = Order(Span(first, count), self._seed, self._stream, epsilon, sends=False)
        tasks = tasks_of(self._pool, self._agent, order)
        self._pool.submit(tasks)
        self._pool.finish(tasks)
        return played(tasks)

    def apart(self, agent: Agent, seed: int, stream: Stream) -> ClusterRollout:
        """Return a rollout of other episodes by the same players."""
        return ClusterRollout(self._pool, agent, seed, stream)

    def close(self) -> None:
        """Leave the players to their pool."""
