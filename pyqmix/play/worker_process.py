"""The trainer's side of one worker process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.context import ForkServerContext
from multiprocessing.util import Finalize

from pyqmix.base.signals import blocked
from pyqmix.play.episodes import Outcome, Ticket
from pyqmix.play.failure import Failure
from pyqmix.play.heartbeat import NO_EPISODE, Heartbeat, Place
from pyqmix.play.parcel import Parcel
from pyqmix.play.worker import SAFE_PATH, Manner, Order, serve
from pyqmix.replay import EpisodeRing


class WorkerProcess:
    """A worker process, and the episodes that it has been given and not finished.

    Attributes:
        in_series: whether it waits for further episodes of a series.
        has_weights: whether it has had the weights of the episodes that are being played.
        is_late: whether one of its environments has taken longer than the step_timeout.

    Args:
        context: of multiprocessing.
        parcel: has the config, which names the environment.
        num_envs: how many environments it has.
        ring: where its episodes go, shared; None keeps none.
    """

    def __init__(
        self, context: ForkServerContext, parcel: Parcel, num_envs: int, ring: EpisodeRing | None
    ) -> None:
        self.num_envs, self.heartbeat = num_envs, Heartbeat(context)
        self.open: dict[int, Ticket] = {}
        self.has_weights = self.is_late = False
        self.in_series = False
        self.connection, theirs = context.Pipe()
        arguments = (theirs, parcel.packed, num_envs, ring, self.heartbeat)
        self.process = context.Process(target=serve, args=arguments, daemon=True)
        with _current_folder_off_the_path(), _server_survives_signals(), parcel.main_script():
            self.process.start()
        theirs.close()
        # At the trainer's end multiprocessing sends SIGTERM, which a worker survives, and waits.
        Finalize(self, self.process.kill, exitpriority=1)

    @property
    def accepts(self) -> bool:
        """Whether episodes can be given to it now."""
        return self.in_series or not self.open

    @property
    def place(self) -> Place:
        """The environment call that it made last; of its open episodes, the first where that one has ended."""
        place = self.heartbeat.place
        known = place.episode == NO_EPISODE or place.episode in self.open or not self.open
        return place if known else Place(min(self.open), 0)

    def give(self, episodes: list[Ticket], manner: Manner, last: bool) -> None:
        """Give it episodes to play; after the last ones of a series, it accepts none before all are played."""
        starts, self.in_series = not self.in_series, not last
        self.open.update((each.episode, each) for each in episodes)
        try:
            self.connection.send(Order(tuple(episodes), manner if starts else None, last))
        except OSError:  # it has died, which receive will tell
            return
        self.has_weights = True

    def receive(self) -> list[Outcome] | None:
        """Return the results that have arrived, None if it has died without any.

        Raises:
            Exception: that of the worker, with its traceback as the cause.
        """
        outcomes: list[Outcome] = []
        try:
            while self.connection.poll():
                said: Outcome | Failure = self.connection.recv()
                if isinstance(said, Failure):
                    said.raise_again()
                self.open.pop(said.episode)
                outcomes.append(said)
        except (EOFError, OSError):
            return outcomes or None
        return outcomes if outcomes or self.process.is_alive() else None

    def kill(self) -> None:
        """End it at once."""
        self.connection.close()
        if self.process.is_alive():
            self.process.kill()
        self.process.join()


@contextmanager
def _server_survives_signals() -> Iterator[None]:
    """Start the server that forks the workers with the stopping signals held back.

    Ctrl-C in a terminal and a cluster's scheduler send them to all processes of a run. The trainer handles them
    and ends its workers. The server holds them back for ever. A worker handles them by doing nothing. A program
    that its environment starts inherits neither, so that ``terminate`` ends it.
    """
    with blocked():
        resource_tracker.ensure_running()  # before the server, because it lets SIGINT and SIGTERM through again
        with blocked():
            yield


@contextmanager
def _current_folder_off_the_path() -> Iterator[None]:
    """Let the server that forks the workers import the installed package, and not a folder of the same name.

    Without it the server, if it is started in pyqmix's source tree, cannot import pyqmix, and every worker takes
    seconds to import torch. The workers themselves have the trainer's path. Python 3.10 cannot be told so.
    """
    name, value = SAFE_PATH
    if name in os.environ:
        yield
        return
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
