"""Plays whole episodes of native environments in C++."""

from __future__ import annotations

from pyqmix import _C
from pyqmix.base import program_end
from pyqmix.base.errors import EnvError
from pyqmix.base.kernel_threads import kernel_threads
from pyqmix.base.seeding import Stream
from pyqmix.envs import NativeEnv
from pyqmix.nn import Agent
from pyqmix.nn.actor_weights import ActorWeights
from pyqmix.play.actor import native_policy
from pyqmix.play.episodes import Played
from pyqmix.replay import EpisodeRing, RingBusyError

LANES = 32  # worlds of a thread that share each forward pass


class NativeRollout:
    """Plays episodes without Python: environment, policy, exploration and the writing of the ring.

    Episode k depends on (seed, k), the weights and epsilon alone: not on the number of threads, nor on how
    many worlds share a forward pass. One Python thread at a time may play; a second one gets an error.

    Args:
        env: the world that every episode is played in.
        agent: the policy.
        seed: of the run.
        stream: the stream that the episodes' seeds come from.
        ring: where the episodes go; None plays without keeping them.
        threads: how many play; None: as many as kernels take when they begin to.
        lanes: most worlds of a thread that share each forward pass.
    """

    def __init__(
        self,
        env: NativeEnv,
        agent: Agent,
        seed: int,
        stream: Stream,
        ring: EpisodeRing | None = None,
        threads: int | None = None,
        lanes: int = LANES,
    ) -> None:
        self._env, self._agent, self._threads, self._lanes = env, agent, threads, lanes
        spec = env.spec
        policy = native_policy(agent, spec)
        if policy is None:
            raise ValueError(f"agent: expected one with a native policy, got {type(agent).__name__}")
        self._rollout = _C.Rollout(
            env=env.native,
            policy=policy,
            seed=seed,
            stream=stream,
            ring=ring.native if ring is not None else None,
        )

    def play(self, first: int, count: int, epsilon: float) -> Played:
        """Play the episodes first, ..., first + count - 1.

        Raises:
            EnvError: an episode could not start; open episodes are aborted.
            KeyboardInterrupt: Ctrl-C; the episodes that have ended are in the ring.
            RingBusyError: no slot of the ring was free.
            RuntimeError: a slot was taken away, because the ring's descriptors were closed behind its back.
        """
        program_end.rest()
        try:
            returns, lengths, won = self._rollout.play(
                ActorWeights.of(self._agent).block,
                first=first,
                count=count,
                epsilon=epsilon,
                threads=kernel_threads() if self._threads is None else self._threads,
                lanes=self._lanes,
            )
        except _C.EpisodeError as error:
            raise EnvError(f"environment {self._env.name}, {error}") from None
        except _C.RingBusyError:
            raise RingBusyError("no slot of the ring is free: raise its capacity") from None
        return Played(returns, lengths, won)

    @property
    def threads_used(self) -> int:
        """How many threads shared the last play's episodes."""
        return self._rollout.threads_used

    def apart(self, agent: Agent, seed: int, stream: Stream) -> NativeRollout:
        """Return a rollout of other episodes of the same environment, which keeps none of them."""
        return NativeRollout(self._env, agent, seed, stream, None, self._threads, self._lanes)

    def close(self) -> None:
        """Do nothing."""
