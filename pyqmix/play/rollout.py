"""Plays whole episodes with the current policy and writes them into the ring."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pyqmix.base import program_end
from pyqmix.base.errors import EnvError
from pyqmix.base.seeding import Stream, episode_seed, generator
from pyqmix.envs import Env, Point, Step
from pyqmix.envs.contract import Contract
from pyqmix.envs.importing import described
from pyqmix.envs.worlds import EnvWorlds, Worlds
from pyqmix.nn import Agent
from pyqmix.play.actor import create_actor
from pyqmix.play.episodes import Outcome, Played, Ticket, Watch, in_order
from pyqmix.replay import EpisodeRing, EpisodeSlot, EpisodeWriter

T = TypeVar("T")


def epsilon_greedy(
    qs: NDArray[np.float32],
    avail: NDArray[np.bool_],
    epsilon: float,
    coins: NDArray[np.float64],
    picks: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Choose each agent's action by its own coin.

    Args:
        qs: (..., n, A), the agents' values.
        avail: (..., n, A) bool, at least one True for each agent.
        epsilon: the probability of a uniformly random available action, else the best available one.
        coins: (..., n) uniform in [0, 1), one for each agent: below epsilon, that agent explores.
        picks: (..., n) uniform in [0, 1), which available action an exploring agent takes.

    Returns:
        (..., n) int64.
    """
    finite = np.maximum(qs, np.finfo(qs.dtype).min)  # an available -inf still wins
    actions: NDArray[np.int64] = np.where(avail, finite, -np.inf).argmax(-1)
    explores = coins < epsilon
    if explores.any():
        wanted = np.floor(picks * avail.sum(-1))
        explored = (avail.cumsum(-1) > wanted[..., None]).argmax(-1)
        actions = np.where(explores, explored, actions)
    return actions


@dataclass
class _Seat:
    """One world, the writer of its episodes, and the episode that is being played in it."""

    contract: Contract
    row: int
    writer: EpisodeWriter | None
    episode: int = -1
    steps: int = 0
    reward_sum: float = 0.0
    won: bool | None = None
    point: Point | None = None
    slot: EpisodeSlot | None = None
    coins: np.random.Generator = field(default_factory=np.random.default_rng)

    def blame(self, what: str) -> EnvError:
        """Build the error that names the environment, the episode and the step."""
        return self.contract.blame(what, self.episode, self.steps)


class Rollout:
    """Plays episodes in several worlds that share each forward pass of the policy.

    Episode k depends on (seed, k), the weights and epsilon: not on which world plays it, nor on how many play.
    Only of an agent without a native twin, values may differ in their last bit with the number of rows that share
    a forward pass, which can decide between two actions that are worth the same.

    Args:
        worlds: what the episodes are played in, or a list of environments of one kind.
        agent: the policy; it acts on the CPU.
        seed: of the run.
        stream: the stream that the environments' seeds come from.
        ring: where the episodes go; None plays without keeping them.
        watch: is told which environment works.
    """

    def __init__(
        self,
        worlds: Worlds | Sequence[Env],
        agent: Agent,
        seed: int,
        stream: Stream,
        ring: EpisodeRing | None = None,
        watch: Watch | None = None,
    ) -> None:
        self._worlds: Worlds = EnvWorlds(worlds) if isinstance(worlds, Sequence) else worlds
        self.agent, self._seed, self._stream, self._watch = agent, seed, stream, watch
        labels = getattr(self._worlds, "agent_labels", ())
        contract = Contract(self._worlds.name, self._worlds.spec, labels)
        spec = self._worlds.spec
        self._obs = np.empty((len(self._worlds), spec.n_agents, spec.obs_dim), np.float32)
        self._avail = np.empty((len(self._worlds), spec.n_agents, spec.n_actions), np.bool_)
        self._seats = [
            _Seat(contract, row, ring.writer() if ring is not None else None) for row in range(len(self._worlds))
        ]
        self._actor = create_actor(agent, self._worlds.spec)
        keeps = ring is not None and ring.spec.snapshot is not None
        self._snapshot = getattr(self._worlds, "snapshot", None) if keeps else None

    def play(self, first: int, count: int, epsilon: float) -> Played:
        """Play the episodes first, ..., first + count - 1; every world takes the next one when free.

        Args:
            first: the first episode's index in the stream.
            count: how many.
            epsilon: exploration.

        Raises:
            EnvError: an environment raised or gave something unusable; open episodes are aborted.
            RingBusyError: no slot of the ring was free.
        """
        waiting = iter(range(first, first + count))
        outcomes: list[Outcome] = []

        def take(wait: bool) -> Ticket | None:
            return next((Ticket(episode, None) for episode in waiting), None)

        self.play_each(take, outcomes.append, epsilon)
        return in_order(outcomes, first)

    def play_each(
        self, take: Callable[[bool], Ticket | None], done: Callable[[Outcome], None], epsilon: float
    ) -> None:
        """Play the episodes that ``take`` gives until it gives none while no world is in an episode.

        Args:
            take: returns the next episode for a free world, None if there is none now. Its argument tells whether
                no world is in an episode, so that it may wait.
            done: is called with each episode's result.
            epsilon: exploration.

        Raises:
            EnvError: an environment raised or gave something unusable; open episodes are aborted.
            RingBusyError: no slot of the ring was free.
        """
        self._actor.begin(len(self._seats))
        with ExitStack() as aborting:
            for seat in self._seats:
                aborting.callback(_abort, seat)
            if self._watch is not None:
                aborting.callback(self._watch.leave)
            self._start_free(take)
            while seats := [seat for seat in self._seats if seat.point is not None]:
                ended = self._step(seats, epsilon)
                for seat in ended:
                    done(Outcome(seat.episode, seat.reward_sum, seat.steps, seat.won))
                    seat.point = None
                if ended or len(seats) < len(self._seats):
                    self._start_free(take)

    def apart(self, agent: Agent, seed: int, stream: Stream) -> Rollout:
        """Return a rollout of other episodes in the same worlds, which keeps none of them."""
        return Rollout(self._worlds, agent, seed, stream, watch=self._watch)

    def close(self) -> None:
        """Close the environments."""
        if self._watch is not None:
            self._watch.close()
        self._worlds.close()

    def _start_free(self, take: Callable[[bool], Ticket | None]) -> None:
        """Start episodes in the free worlds."""
        free = [seat for seat in self._seats if seat.point is None]
        starting: list[_Seat] = []
        tickets: list[int | None] = []
        for seat in free:
            taken = take(len(free) == len(self._seats) and not starting)
            if taken is None:
                break
            episode = taken.episode
            seat.episode, seat.steps, seat.reward_sum = episode, 0, 0.0
            seat.coins = generator(self._seed, Stream.EXPLORATION, episode)
            starting.append(seat)
            tickets.append(taken.ticket)
        if not starting:
            return
        rows = [seat.row for seat in starting]
        wide = getattr(self._worlds, "wide_seeds", False)
        seeds = [episode_seed(self._seed, self._stream, seat.episode, wide) for seat in starting]
        shown = self._shown(starting, lambda: self._worlds.reset(rows, seeds), "reset")
        for (seat, point), ticket in zip(shown, tickets, strict=True):
            seat.contract.check_point(point, seat.episode, 0)
            self._actor.forget(seat.row)
            self._show(seat, point)
            if seat.writer is not None:
                seat.slot = seat.writer.open(ticket)
                self._write(seat, lambda slot, *point: slot.begin(*point))

    def _step(self, seats: list[_Seat], epsilon: float) -> list[_Seat]:
        """Choose and execute a joint action in each world; return those whose episodes have ended."""
        program_end.rest()
        actions = self._choose(seats, epsilon)
        rows = [seat.row for seat in seats]
        shown = self._shown(seats, lambda: self._worlds.step(rows, actions), "step")
        return [
            seat for (seat, step), joint in zip(shown, actions, strict=True) if self._advance(seat, joint, step)
        ]

    def _choose(self, seats: list[_Seat], epsilon: float) -> NDArray[np.int64]:
        rows = [seat.row for seat in seats]
        obs, avail = self._obs[rows], self._avail[rows]
        draws = np.array([seat.coins.random((2, obs.shape[1])) for seat in seats])
        qs = self._actor.values(obs, rows)
        return epsilon_greedy(qs, avail, epsilon, draws[:, 0], draws[:, 1])

    def _shown(self, seats: list[_Seat], call: Callable[[], Iterable[T]], verb: str) -> Iterator[tuple[_Seat, T]]:
        """Yield what the worlds show, by turns; an exception is the fault of the world whose turn it is."""
        shown: Iterator[T] | None = None
        for seat in seats:
            if self._watch is not None:
                self._watch.enter(seat.episode, -1 if verb == "reset" else seat.steps)
            try:
                shown = iter(call()) if shown is None else shown
                each = next(shown)
            except (Exception, SystemExit) as error:
                cause = (
                    error.__cause__ if isinstance(error.__cause__, StopIteration) else error
                )  # through a generator
                raise seat.blame(f"{verb} raised {described(cause)}") from cause
            yield seat, each
        if self._watch is not None:
            self._watch.leave()

    def _advance(self, seat: _Seat, actions: NDArray[np.int64], step: Step) -> bool:
        """Write a step; True if the episode has ended."""
        seat.contract.check_step(step, seat.episode, seat.steps)
        self._show(seat, step.point)
        ended = step.terminated or step.truncated
        seat.steps += 1
        self._write(seat, lambda slot, *p: slot.append(actions, step.reward, step.terminated, *p))
        seat.reward_sum += float(step.reward)  # one of float16 or float32 would keep its few digits
        seat.won = step.won
        if ended and seat.slot is not None:
            seat.slot.publish()
            seat.slot = None
        return ended

    def _show(self, seat: _Seat, point: Point) -> None:
        """Take note of a point. It is copied, because another world may overwrite its arrays."""
        obs, avail = self._obs[seat.row], self._avail[seat.row]
        obs[...], avail[...] = point.obs, point.avail
        seat.point = Point(obs, avail, None if point.state is None else np.ascontiguousarray(point.state))

    def _write(self, seat: _Seat, write: Callable[..., None]) -> None:
        """Let ``write`` store a seat's point, and its snapshot where the ring has these, in its slot."""
        if seat.slot is None or seat.point is None:
            return
        snapshot = self._snapshot(seat.row) if self._snapshot is not None else None
        try:
            write(seat.slot, *seat.point, snapshot)
        except ValueError as error:
            raise seat.blame(str(error)) from None


def _abort(seat: _Seat) -> None:
    if seat.slot is not None:
        seat.slot.abort()
    seat.slot = seat.point = None
