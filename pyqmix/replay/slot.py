"""An episode that is being written, and who writes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyqmix import _C


class RingBusyError(RuntimeError):
    """No slot, or not enough episodes, could be had just now because others are using them."""


class EpisodeSlot:
    """An open episode: one slot of the ring, written in one of three ways.

    Step by step with :meth:`begin` and :meth:`append`; whole with :meth:`write`; or in place, in the arrays of
    :meth:`views`, with :meth:`finish` at the end. Used from one thread at a time, in the writer's process.
    """

    def __init__(self, writer: _C.EpisodeWriter) -> None:
        self._writer: _C.EpisodeWriter | None = writer

    def begin(
        self,
        obs: NDArray[np.float32],
        avail: NDArray[np.bool_],
        state: NDArray[np.float32] | None,
        snapshot: NDArray[np.uint8] | None = None,
    ) -> None:
        """Write the first observation.

        Args:
            obs: (n, O) float32.
            avail: (n, A) bool.
            state: (S,) float32; None where the spec says that it is the concatenated observations.
            snapshot: (bytes,) uint8 of :meth:`pyqmix.envs.NativeEnv.snapshot`, which the slot stores in place of
                obs and state where the spec says so; otherwise it is ignored.

        Raises:
            ValueError: a dtype or shape does not fit, or a value is NaN or infinite, or the storage dtype cannot
                hold it exactly; or the spec has snapshots, and this is none.
            RuntimeError: the episode has begun or ended already.
        """
        self._open().begin(obs, avail, state, snapshot)

    def append(
        self,
        actions: NDArray[np.int64],
        reward: float,
        terminated: bool,
        obs: NDArray[np.float32],
        avail: NDArray[np.bool_],
        state: NDArray[np.float32] | None,
        snapshot: NDArray[np.uint8] | None = None,
    ) -> None:
        """Write one step: what was done at the last observation, and the observation that followed.

        Args:
            actions: (n,) int64.
            reward: the team's.
            terminated: the environment ended by itself.
            obs: (n, O) float32, the observation after the step.
            avail: (n, A) bool, likewise.
            state: (S,) float32, likewise, or None as in :meth:`begin`.
            snapshot: (bytes,) uint8, likewise, or None as in :meth:`begin`.

        Raises:
            ValueError: as for begin; or the reward is not finite in float32, an action is out of range, or the
                slot is full.
            RuntimeError: the episode has not begun, or has ended.
        """
        self._open().append(actions, reward, terminated, obs, avail, state, snapshot)

    def write(
        self,
        obs: NDArray[np.float32],
        avail: NDArray[np.bool_],
        state: NDArray[np.float32] | None,
        actions: NDArray[np.int64],
        rewards: NDArray[np.float32],
        terminated: NDArray[np.bool_],
    ) -> None:
        """Write a whole episode of L steps.

        Args:
            obs: (L+1, n, O) float32; index t+1 holds o' of step t.
            avail: (L+1, n, A) bool.
            state: (L+1, S) float32, or None as in :meth:`begin`.
            actions: (L, n) int64.
            rewards: (L,) float32.
            terminated: (L,) bool.

        Raises:
            ValueError: as for begin and append; or the spec has snapshots.
            RuntimeError: the episode has begun or ended already.
        """
        self._open().write(obs, avail, state, actions, rewards, terminated)

    def views(self) -> dict[str, NDArray[Any]]:
        """Return the slot's own memory, for up to T = episode_limit steps; it still holds older episodes.

        obs (T+1, n, O) and state (T+1, S), in the spec's storage dtypes (no state where it is the concatenated
        observations); avail (T+1, n, ceil(A/8)) uint8, the bits of ``numpy.packbits(mask, axis=-1,
        bitorder="little")``; actions (T, n) uint8, or uint16 where A > 256; rewards (T,) float32; terminated
        (T,) bool. :meth:`finish` checks what is stored. The arrays become read-only when the
        episode ends, but slices taken before do not: they must not be kept.

        Raises:
            RuntimeError: the episode has ended.
            ValueError: the spec has snapshots.
        """
        return self._open().views()

    def finish(self, steps: int) -> None:
        """End an episode of ``steps`` steps that was stored in the views.

        Raises:
            ValueError: steps is not in [1, episode_limit], an action is out of range, or a reward, observation or
                state is NaN or infinite; or the spec has snapshots.
            RuntimeError: the episode has ended.
        """
        self._open().finish(steps)

    def publish(self) -> None:
        """Make the episode visible to samplers; the slot cannot be used afterwards.

        Raises:
            ValueError: the episode has no step; it is aborted.
            RuntimeError: the episode has ended.
        """
        writer = self._open()
        if writer.steps == 0:
            self.abort()
            raise ValueError("an episode without a step cannot be published")
        self._writer = None
        writer.publish()

    def abort(self) -> None:
        """Give the slot back unseen; does nothing if the episode has ended already."""
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.abort()

    def _open(self) -> _C.EpisodeWriter:
        if self._writer is None:
            raise RuntimeError("this episode has ended: its slot belongs to the ring again")
        return self._writer


class EpisodeWriter:
    """Writes one episode at a time straight into a slot of the ring; made by :meth:`EpisodeRing.writer`.

    Used from one thread at a time, in the process that made it.
    """

    def __init__(self, native: _C.EpisodeRing) -> None:
        self._ring, self._writer = native, _C.EpisodeWriter(native)

    @contextmanager
    def episode(self) -> Iterator[EpisodeSlot]:
        """Open an episode; leaving normally publishes it, an exception aborts it.

        Raises:
            RingBusyError: no slot is free.
            ValueError: on leaving, the episode has no step.
            RuntimeError: this writer has an open episode already.
        """
        slot = self.open()
        try:
            yield slot
        except BaseException:
            slot.abort()
            raise
        slot.publish()

    def open(self, ticket: int | None = None) -> EpisodeSlot:
        """Open an episode that the caller publishes or aborts; where one function sees it end, use episode().

        Args:
            ticket: where to begin, of :meth:`EpisodeRing.reserve`; the next one without it. One that has been
                redeemed already is not detected: its episode lies where the first one's does, or takes its place.

        Raises:
            RingBusyError: no slot is free.
            RuntimeError: this writer has an open episode already, or is another process's.
            ValueError: the ticket was never given.
        """
        if ticket is not None and (
            isinstance(ticket, bool) or not isinstance(ticket, int) or not 0 <= ticket < self._ring.tickets
        ):
            raise ValueError(f"ticket: expected one of the {self._ring.tickets} given so far, got {ticket!r}")
        if not self._writer.open(ticket):
            raise RingBusyError("no slot of the ring is free: raise its capacity")
        return EpisodeSlot(self._writer)
