"""Plays whole episodes of native environments in C++."""

from __future__ import annotations

from pyqmix import _C
from pyqmix.base.errors import ConfigError, EnvError
from pyqmix.base.seeding import Stream
from pyqmix.base.spec import EpisodeSpec
from pyqmix.envs import NativeEnv
from pyqmix.nn.agents import Agent, GRUAgent
from pyqmix.nn.flat import flat_weights
from pyqmix.play.rollout import Played
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
        threads: how many play.
        lanes: most worlds of a thread that share each forward pass.
    """

    def __init__(
        self,
        env: NativeEnv,
        agent: Agent,
        seed: int,
        stream: Stream,
        ring: EpisodeRing | None = None,
        threads: int = 1,
        lanes: int = LANES,
    ) -> None:
        if env.team_reward == "individual":
            raise ConfigError("team_reward: expected sum or mean, the one reward of the team, got 'individual'")
        self._env, self._agent, self._threads, self._lanes = env, agent, threads, lanes
        spec = env.spec
        self._policy = native_policy(agent, spec)
        self._rollout = _C.Rollout(
            env=env.native,
            policy=self._policy,
            seed=seed,
            stream=stream,
            ring=ring.native if ring is not None else None,
        )

    def play(self, first: int, count: int, epsilon: float) -> Played:
        """Play the episodes first, ..., first + count - 1.

        Raises:
            EnvError: an episode could not start; open episodes are aborted.
            KeyboardInterrupt: Ctrl-C; what has been played is in the ring.
            RingBusyError: no slot of the ring was free.
            RuntimeError: a slot was taken away, because the ring's descriptors were closed behind its back.
        """
        try:
            returns, lengths = self._rollout.play(
                flat_weights(self._agent).numpy(),
                first=first,
                count=count,
                epsilon=epsilon,
                threads=self._threads,
                lanes=self._lanes,
            )
        except _C.EpisodeError as error:
            raise EnvError(f"environment {self._env.name}, {error}") from None
        except _C.RingBusyError:
            raise RingBusyError("no slot of the ring is free: raise its capacity") from None
        return Played(returns, lengths)

    @property
    def threads_used(self) -> int:
        """How many threads shared the last play's episodes."""
        return self._rollout.threads_used

    def close(self) -> None:
        """Do nothing."""


def native_policy(agent: Agent, spec: EpisodeSpec) -> _C.Policy:
    """Build the agent's twin in C++, without its weights."""
    kind = _C.GruPolicy if isinstance(agent, GRUAgent) else _C.MlpPolicy
    return kind(
        n_agents=spec.n_agents,
        obs_dim=spec.obs_dim,
        hidden_dim=agent.hidden_dim,
        n_actions=spec.n_actions,
        agent_id=agent.agent_id,
        share_parameters=agent.share_parameters,
        obs_scale=[] if agent.obs_scale is None else agent.obs_scale.tolist(),
    )
