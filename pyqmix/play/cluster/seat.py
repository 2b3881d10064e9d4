"""The trainer's side of one player: its Ray actor, the starts of that, and the orders that it has."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from pyqmix._C import __version__
from pyqmix.base.errors import ConfigError
from pyqmix.play.cluster.note import Note
from pyqmix.play.cluster.orders import Greeting, Order, Reply

STARTS = 3  # that end a player's process, before its environment is blamed
_AGAIN = 0.25  # seconds before a player is called again; Ray needs a moment to notice that an actor has died


@dataclass(eq=False)
class Task:
    """An order on its way to a reply.

    Attributes:
        order: the episodes.
        weights: Ray's reference to the policy's weights.
        reply: the result, once it has come.
        deaths: the nodes on which players have died over it.
    """

    order: Order
    weights: Any
    reply: Reply | None = None
    deaths: list[str] = field(default_factory=list)


class Seat:
    """One player.

    Args:
        note: which it leaves where it must end.
        actor: Ray's handle, which stays the same when Ray starts the actor again.

    Attributes:
        is_ready: whether it can be given orders.
        host: the machine that it runs on; empty before its first start.
        node: Ray's id of that.
        open: its orders, by Ray's references to their replies; it plays the first one.
    """

    def __init__(self, note: Note, actor: Any) -> None:
        self._note, self._actor = note, actor
        self._greeting: Any = None
        self._due, self._failures = 0.0, 0
        self.is_ready, self.host, self.node = False, "", ""
        self.open: dict[Any, Task] = {}

    @property
    def expected(self) -> list[Any]:
        """Ray's references to all that it is to reply."""
        return [*self.open, *([] if self._greeting is None else [self._greeting])]

    def begin(self) -> None:
        """Let it build its environments, unless it has begun, or was called a moment ago."""
        if not self.is_ready and self._greeting is None and time.monotonic() >= self._due:
            self._greeting = self._actor.begin.remote()

    def give(self, task: Task) -> None:
        """Give it an order."""
        self.open[self._actor.play.remote(task.order, task.weights)] = task

    def greeted(self, greeting: Greeting) -> None:
        """Take note that it can be given orders.

        Raises:
            ConfigError: it has another version of pyqmix.
        """
        if greeting.version != __version__:
            raise ConfigError(
                f"ray_address: expected pyqmix {__version__} on every node, got {greeting.version} on "
                f"{greeting.host}"
            )
        self.is_ready, self._greeting, self._failures = True, None, 0
        self.host, self.node = greeting.host, greeting.node

    def died(self, error: Exception) -> str:
        """Take note that its process has died, and wait until Ray has started it again; return the reason."""
        reason = self._note.take()
        if not self.is_ready and reason is not None:
            self._failures += 1
        self.is_ready, self._greeting, self._due = False, None, time.monotonic() + _AGAIN
        self.open = {}
        return reason or last_line(error)

    @property
    def fails_to_start(self) -> bool:
        """Whether its starts have ended its process too often."""
        return self._failures >= STARTS

    def kill(self, ray: Any) -> None:
        """End it for ever."""
        ray.kill(self._actor)


def last_line(error: Exception) -> str:
    """Return the last line of an error of Ray, which names the reason."""
    return next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
