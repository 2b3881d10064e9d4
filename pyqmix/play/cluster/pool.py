"""Gives orders to the players of a cluster, and takes their replies; a player that dies loses none.

Threading contract: one thread at a time uses a pool.

Ray restarts a player that has died, on whatever node has room. Its orders go to others meanwhile, or back to it.
They name seeds and weights, so that a second attempt plays the same episodes; only the reply of one attempt is
ever looked at.
"""

from __future__ import annotations

import math
import os
import sys
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from pyqmix.base import program_end
from pyqmix.base.errors import ConfigError, EnvError
from pyqmix.base.ray_cluster import connect, disconnect
from pyqmix.base.spec import EpisodeSpec
from pyqmix.config import Config
from pyqmix.play.cluster.note import Note
from pyqmix.play.cluster.orders import Greeting, Reply
from pyqmix.play.cluster.player import Player
from pyqmix.play.cluster.seat import STARTS, Seat, Task, last_line
from pyqmix.play.failure import Failure
from pyqmix.play.parcel import Parcel

DEATHS = 3  # of players' processes over one order, before its environment is blamed
AHEAD = 2  # orders that a player has at a time, so that it need not wait for the next one
_REST = 0.25  # seconds after which a program that ends is noticed
_ALONE = 30.0  # seconds without a further player, after which the user is told


class PlayerPool:
    """Players on the nodes of a cluster.

    Args:
        config: names the environment, the cluster and the number of players.
        spec: the sizes of an episode.
        say: writes a line for the user.
        may_wait: is called while there is no player, and raises where the program is to end.

    Attributes:
        order_size: the most episodes of an order.
        retried: episodes that went to other players, because theirs had died.
        deaths: of players.
        transport_seconds: of the caller's thread, spent on sending orders and weights, on receiving replies, and
            on looking for them; the CPU time of the last, so that waiting for players does not count.

    Raises:
        ConfigError: there is no such cluster, or a player cannot be built there.
    """

    def __init__(
        self,
        config: Config,
        spec: EpisodeSpec,
        say: Callable[[str], None],
        may_wait: Callable[[], None] = lambda: None,
    ) -> None:
        self._name, self._say, self._may_wait = config.task_name or config.env, say, may_wait
        self.order_size = _order_size(config)
        say(f"starts {config.num_workers} players on Ray, --ray-address {config.ray_address}")
        self._ray = connect(config.ray_address, cpus=config.num_workers)
        self.retried = self.deaths = 0
        self.transport_seconds = 0.0
        self._waiting: deque[Task] = deque()
        self._seats: list[Seat] = []
        self._most_ready, self._changed, self._told = 0, time.monotonic(), False
        actor = self._ray.remote(Player).options(
            num_cpus=1, max_restarts=-1, max_task_retries=0, scheduling_strategy="SPREAD"
        )
        try:
            packed, path = Parcel.of(config).packed, [os.path.abspath(folder) for folder in sys.path]
            for name in (uuid.uuid4().hex for _ in range(config.num_workers)):
                handle = actor.remote(name, packed, path, self.order_size, spec)
                self._seats.append(Seat(Note(name), handle))
            while self.ready == 0:
                self._listen()
        except BaseException:
            self.close()
            raise

    @property
    def ready(self) -> int:
        """How many players can be given orders."""
        return sum(seat.is_ready for seat in self._seats)

    def size_for(self, count: int) -> int:
        """Return the episodes of an order where ``count`` are to be played at once, and no others are."""
        return min(self.order_size, math.ceil(count / len(self._seats)))

    def put(self, thing: object) -> Any:
        """Make something available to all players; return Ray's reference to it."""
        with self._transporting():
            return self._ray.put(thing)

    def submit(self, tasks: Iterable[Task]) -> None:
        """Have orders played behind those that wait already."""
        self._waiting.extend(tasks)
        self._hand_out()

    def finish(self, tasks: Iterable[Task], take: Callable[[Reply], None] = lambda reply: None) -> None:
        """Wait for the replies to tasks, and give each to ``take`` as soon as it is there.

        Raises:
            ConfigError: a player cannot be built.
            EnvError: an environment raised, gave something unusable, or hung or killed its process three times.
            RuntimeError: a player failed otherwise. The cause of each is the player's traceback.
        """
        left = list(tasks)
        while True:
            done = [task for task in left if task.reply is not None]
            for task in done:
                assert task.reply is not None
                with self._transporting():
                    take(task.reply)
            left = [task for task in left if task.reply is None]
            if not left:
                return
            self._hand_out()
            self._listen()

    def report(self) -> dict[str, float]:
        """Return figures for the end of a run."""
        return {
            "players": self._most_ready,
            "player_deaths": self.deaths,
            "episodes_reassigned": self.retried,
            "transport_seconds": self.transport_seconds,
        }

    def close(self) -> None:
        """End the players."""
        for seat in self._seats:
            with suppress(Exception):  # of a cluster that is gone
                seat.kill(self._ray)
        self._seats.clear()
        disconnect()

    def _hand_out(self) -> None:
        """Give orders to the players that have the fewest."""
        ready = [seat for seat in self._seats if seat.is_ready]
        for fewest in range(AHEAD):
            for seat in ready:
                if not self._waiting:
                    return
                if len(seat.open) == fewest:
                    with self._transporting():
                        seat.give(self._waiting.popleft())

    def _listen(self) -> None:
        """Wait a moment for replies, and take those that have come."""
        program_end.rest()
        worked = time.thread_time()  # which stands still while it waits
        for seat in self._seats:
            seat.begin()
        seats = {reference: seat for seat in self._seats for reference in seat.expected}
        if not seats:
            self._tell_of_missing_players()
            time.sleep(_REST)
            return
        arrived, _ = self._ray.wait(list(seats), num_returns=1, timeout=_REST)
        if arrived:
            arrived, _ = self._ray.wait(list(seats), num_returns=len(seats), timeout=0)
        self.transport_seconds += time.thread_time() - worked
        for reference in arrived:
            self._take(seats[reference], reference)
        self._tell_of_missing_players()

    def _take(self, seat: Seat, reference: Any) -> None:
        if reference not in seat.expected:
            return  # of a player that was found dead in this moment
        exceptions = self._ray.exceptions
        try:
            with self._transporting():
                said = self._ray.get(reference)
        except exceptions.RayTaskError as error:
            raise RuntimeError(f"a player failed: {last_line(error)}") from error
        except exceptions.RayError as error:
            self._bury(seat, error)
            return
        if isinstance(said, Failure):
            said.raise_again()
        if isinstance(said, Greeting):
            seat.greeted(said)
        else:
            seat.open.pop(reference).reply = said

    def _bury(self, seat: Seat, error: Exception) -> None:
        """Give a dead player's orders to others."""
        was_ready, tasks = seat.is_ready, list(seat.open.values())
        reason = seat.died(error)
        if getattr(error, "actor_init_failed", False):
            raise ConfigError(f"rollout: a player cannot be built: {reason}") from error
        if seat.fails_to_start:
            self._blame("while it is built", STARTS, reason)
        for task in tasks[:1]:  # which it played; the others waited
            task.deaths.append(seat.node)
            self._require_innocence(task, reason)
        self._waiting.extendleft(reversed(tasks))
        if was_ready:
            episodes = sum(task.order.span.count for task in tasks)
            self.deaths, self.retried = self.deaths + 1, self.retried + episodes
            self._say(f"a player on {seat.host} died: its {episodes} episodes go to others")

    def _blame(self, where: str, deaths: int, reason: str) -> NoReturn:
        raise EnvError(
            f"environment {self._name}, {where}: the process that plays it died {deaths} times, the last time "
            f"because of this: {reason}"
        )

    def _require_innocence(self, task: Task, reason: str) -> None:
        """Blame an environment over whose episodes several players have died, but not with their nodes."""
        if len(task.deaths) < DEATHS:
            return
        alive = {node["NodeID"] for node in self._ray.nodes() if node["Alive"]}
        deaths = sum(node in alive for node in task.deaths)
        if deaths >= DEATHS:
            self._blame(str(task.order.span), deaths, reason)

    def _tell_of_missing_players(self) -> None:
        """Say once, after a time without a change, that not all players have started."""
        ready, wanted = self.ready, len(self._seats)
        if ready == 0:
            self._may_wait()
        if ready == wanted or ready > self._most_ready:
            self._most_ready, self._changed, self._told = max(ready, self._most_ready), time.monotonic(), False
        elif not self._told and time.monotonic() - self._changed > _ALONE:
            self._told = True
            self._say(f"{ready} of {wanted} players have started; each needs a free CPU of the Ray cluster")

    @contextmanager
    def _transporting(self) -> Iterator[None]:
        start = time.monotonic()
        try:
            yield
        finally:
            self.transport_seconds += time.monotonic() - start


def _order_size(config: Config) -> int:
    """Return the episodes of an order: each player has one order, or AHEAD where rounds are ordered ahead."""
    rounds, each = (config.max_staleness, AHEAD) if config.max_staleness > 0 else (1, 1)
    return min(config.num_envs, math.ceil(config.num_envs * rounds / (config.num_workers * each)))
