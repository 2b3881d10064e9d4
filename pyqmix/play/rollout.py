"""Plays whole episodes with the current policy and writes them into the ring."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyqmix.base.errors import EnvError
from pyqmix.base.seeding import Stream, derive_seed, generator
from pyqmix.envs import Env, Point
from pyqmix.envs.contract import Contract
from pyqmix.nn import Agent
from pyqmix.nn.actor_weights import ActorWeights
from pyqmix.replay import EpisodeRing, EpisodeSlot, EpisodeWriter


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
    greedy = np.where(avail, finite, -np.inf).argmax(-1)
    wanted = np.floor(picks * avail.sum(-1))
    explored = (avail.cumsum(-1) > wanted[..., None]).argmax(-1)
    actions: NDArray[np.int64] = np.where(coins < epsilon, explored, greedy).astype(np.int64)
    return actions


@dataclass(frozen=True)
class Played:
    """Results of several episodes, in their order.

    Attributes:
        returns: (K,) float64, undiscounted sums of the environment's own rewards.
        lengths: (K,) int64, steps.
        won: (K,) bool, whether the team has won; None where the environment does not tell of every episode.
    """

    returns: NDArray[np.float64]
    lengths: NDArray[np.int64]
    won: NDArray[np.bool_] | None = None

    @property
    def steps(self) -> int:
        """All steps together."""
        return int(self.lengths.sum())


def all_told(won: Sequence[bool | None]) -> NDArray[np.bool_] | None:
    """Return whether each of K episodes was won, (K,) bool; None unless the environment told of every one."""
    return None if None in won else np.array(won, np.bool_)


@dataclass
class _Seat:
    """One environment, the writer of its episodes, and the episode that is being played in it."""

    env: Env
    writer: EpisodeWriter | None
    row: int = 0
    episode: int = -1
    steps: int = 0
    reward_sum: float = 0.0
    won: bool | None = None
    point: Point | None = None
    slot: EpisodeSlot | None = None
    coins: np.random.Generator = field(default_factory=np.random.default_rng)

    def __post_init__(self) -> None:
        self.contract = Contract(self.env.name, self.env.spec)

    def blame(self, what: str) -> EnvError:
        """Build the error that names the environment, the episode and the step."""
        return self.contract.blame(what, self.episode, self.steps)


class Rollout:
    """Plays episodes in several environments that share each forward pass of the policy.

    Episode k depends on (seed, k), the weights and epsilon: not on which environment plays it, nor on how
    many play, except that values may differ in their last bit with the number of rows that share a
    forward pass, which can decide between two actions that are worth the same.

    Args:
        envs: environments of one kind.
        agent: the policy; of one on a GPU, a copy on the CPU acts, which each play brings up to date.
        seed: of the run.
        stream: the stream that the environments' seeds come from.
        ring: where the episodes go; None plays without keeping them.
    """

    def __init__(
        self, envs: list[Env], agent: Agent, seed: int, stream: Stream, ring: EpisodeRing | None = None
    ) -> None:
        self._agent, self._seed, self._stream = agent, seed, stream
        self._seats = [
            _Seat(env, ring.writer() if ring is not None else None, row) for row, env in enumerate(envs)
        ]
        # Few episodes at a time are acted for sooner on the CPU: a GPU takes longer to be asked.
        on_cpu = next(agent.parameters()).device.type == "cpu"
        self._actor = agent if on_cpu else copy.deepcopy(agent).to("cpu")
        self._first_ticket: int | None = None  # of episode 0, if this play was given tickets

    @torch.inference_mode()
    def play(self, first: int, count: int, epsilon: float, ticket: int | None = None) -> Played:
        """Play the episodes first, ..., first + count - 1; every environment takes the next one when free.

        Args:
            first: the first episode's index in the stream.
            count: how many.
            epsilon: exploration.
            ticket: of the ring, for the first episode; the others take those that follow. None takes new ones.

        Raises:
            EnvError: an environment raised or gave something unusable; open episodes are aborted.
            RingBusyError: no slot of the ring was free.
        """
        if self._actor is not self._agent:
            ActorWeights.of(self._agent).load_into(self._actor)
        returns, lengths = np.zeros(count), np.zeros(count, np.int64)
        won: list[bool | None] = [None] * count
        self._first_ticket = None if ticket is None else ticket - first
        waiting = iter(range(first, first + count))
        with ExitStack() as aborting:
            for seat in self._seats:
                aborting.callback(_abort, seat)
            seats = [self._start(seat, k) for seat, k in zip(self._seats, waiting, strict=False)]
            hidden = self._actor.initial_hidden(len(self._seats))
            while seats:
                actions, hidden = self._choose(seats, hidden, epsilon)
                for seat, action in zip(seats, actions, strict=True):
                    if not self._advance(seat, action):
                        continue
                    returns[seat.episode - first] = seat.reward_sum
                    lengths[seat.episode - first] = seat.steps
                    won[seat.episode - first] = seat.won
                    if hidden is not None:
                        hidden[seat.row] = 0
                    self._start_next(seat, waiting)
                seats = [seat for seat in seats if seat.point is not None]
        return Played(returns, lengths, all_told(won))

    def close(self) -> None:
        """Close the environments."""
        for seat in self._seats:
            seat.env.close()

    def _choose(
        self, seats: list[_Seat], hidden: Tensor | None, epsilon: float
    ) -> tuple[NDArray[np.int64], Tensor | None]:
        points = [seat.point for seat in seats if seat.point is not None]
        obs = torch.from_numpy(np.stack([p.obs for p in points]))
        if hidden is None:
            qs, _ = self._actor.act(obs, None)
        else:
            rows = [seat.row for seat in seats]
            qs, following = self._actor.act(obs, hidden[rows])
            if following is not None:
                hidden[rows] = following
        draws = np.stack([seat.coins.random((2, obs.shape[1])) for seat in seats])
        avail = np.stack([p.avail for p in points])
        return epsilon_greedy(qs.numpy(), avail, epsilon, draws[:, 0], draws[:, 1]), hidden

    def _start_next(self, seat: _Seat, waiting: Iterator[int]) -> None:
        seat.point = None
        for episode in islice(waiting, 1):
            self._start(seat, episode)

    def _start(self, seat: _Seat, episode: int) -> _Seat:
        seat.episode, seat.steps, seat.reward_sum = episode, 0, 0.0
        seat.coins = generator(self._seed, Stream.EXPLORATION, episode)
        try:
            seat.point = seat.env.reset(derive_seed(self._seed, self._stream, episode))
        except Exception as error:
            raise seat.blame(f"reset raised {type(error).__name__}: {error}") from error
        seat.contract.check_point(seat.point, episode, 0)
        if seat.writer is not None:
            ticket = None if self._first_ticket is None else self._first_ticket + episode
            seat.slot = seat.writer.open(ticket)
            self._write(seat, lambda slot, point: slot.begin(*point))
        return seat

    def _advance(self, seat: _Seat, actions: NDArray[np.int64]) -> bool:
        """Execute a joint action and write the step; True if the episode has ended."""
        try:
            step = seat.env.step(actions)
        except Exception as error:
            raise seat.blame(f"step raised {type(error).__name__}: {error}") from error
        seat.contract.check_step(step, seat.episode, seat.steps)
        seat.point, ended = step.point, step.terminated or step.truncated
        seat.steps += 1
        self._write(seat, lambda slot, p: slot.append(actions, step.reward, step.terminated, *p))
        seat.reward_sum += step.reward
        if not ended and seat.steps >= seat.env.spec.episode_limit:
            raise seat.blame(f"it has not ended after its limit of {seat.steps} steps")
        seat.won = step.won
        if ended and seat.slot is not None:
            seat.slot.publish()
            seat.slot = None
        return ended

    def _write(self, seat: _Seat, write: Callable[[EpisodeSlot, Point], None]) -> None:
        if seat.slot is None or seat.point is None:
            return
        try:
            write(seat.slot, seat.point)
        except ValueError as error:
            raise seat.blame(str(error)) from error


def _abort(seat: _Seat) -> None:
    if seat.slot is not None:
        seat.slot.abort()
    seat.slot = seat.point = None
