"""Chooses what plays an environment: native threads, this process, or worker processes."""

from __future__ import annotations

from collections.abc import Callable

from pyqmix.base.errors import ConfigError
from pyqmix.base.seeding import Stream
from pyqmix.config import Config
from pyqmix.envs import Env, NativeEnv
from pyqmix.nn import Agent
from pyqmix.play.actor import native_policy
from pyqmix.play.alarm import Alarm
from pyqmix.play.episodes import AnyRollout
from pyqmix.play.native import NativeRollout
from pyqmix.play.rollout import Rollout
from pyqmix.play.workers import WorkerPool, WorkerRollout
from pyqmix.play.worlds import create_batch, separate_worlds
from pyqmix.replay import EpisodeRing


def create_rollout(
    config: Config,
    agent: Agent,
    seed: int,
    stream: Stream,
    num_envs: int,
    ring: EpisodeRing | None = None,
    num_workers: int = 0,
    alarm: Callable[..., Alarm] = Alarm,
) -> AnyRollout:
    """Build what plays a config's environment: natively where environment and agent have a native twin.

    Args:
        config: names the environment.
        agent: the policy.
        seed: of the run, or of an evaluation.
        stream: the stream that the episodes' seeds come from.
        num_envs: how many environments play in Python, those of all workers together.
        ring: where the episodes go; None plays without keeping them.
        num_workers: processes of Python environments, which share the ring; 0 plays in this process.
        alarm: what tells of an environment in this process that takes too long.

    Raises:
        ConfigError: the environment cannot be built.
    """
    if num_workers > 0:
        pool = WorkerPool(config, num_envs, ring, num_workers)
        return WorkerRollout(pool, agent, seed, stream, into_ring=ring is not None)
    with alarm(config, trains=ring is not None) as watch:
        worlds = create_batch(config, num_envs)
        if worlds is None:
            env = config.create_env()
            if isinstance(env, NativeEnv) and native_policy(agent, env.spec) is not None:
                watch.close()
                return NativeRollout(env, agent, seed, stream, ring)
            worlds = separate_worlds([env, *(config.create_env() for _ in range(num_envs - 1))])
    return Rollout(worlds, agent, seed, stream, ring, watch)


def require_workers_are_of_use(config: Config, env: Env) -> None:
    """Refuse worker processes where episodes are played without Python.

    Raises:
        ConfigError: they are asked for in vain.
    """
    if config.rollout == "local" and config.num_workers > 0 and isinstance(env, NativeEnv):
        raise ConfigError(
            f"num_workers: expected 0, because {config.env} plays natively, in --threads threads, got "
            f"{config.num_workers}; --rollout ray has it played by several processes"
        )
