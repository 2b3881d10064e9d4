"""Greedy episodes with a checkpoint of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from pyqmix.base import program_end
from pyqmix.base.cores import usable_cores
from pyqmix.base.exhaustion import naming_exhaustion
from pyqmix.base.files import AnyPath
from pyqmix.base.kernel_threads import kernel_threads_of
from pyqmix.base.options import require_int
from pyqmix.base.torch_modes import usual_modes
from pyqmix.config import Config
from pyqmix.config.options import MOST_EPISODES
from pyqmix.config.trust import Trust
from pyqmix.envs.importing import closing
from pyqmix.learn.learner import Learner
from pyqmix.nn import Agent
from pyqmix.play.evaluator import Evaluation, Evaluator
from pyqmix.run.checkpoint import NEWEST
from pyqmix.run.learner_state import load_weights
from pyqmix.run.stored import Stored, read_stored


@naming_exhaustion()
@program_end.call()
@usual_modes()
def evaluate_run(
    run_dir: AnyPath,
    episodes: int,
    seed: int,
    env: Callable[..., Any] | None = None,
    agent: Callable[..., nn.Module] | None = None,
    mixer: Callable[..., nn.Module] | None = None,
    checkpoint: str | int | Stored = NEWEST,
    *,
    trust: Trust = False,
) -> Evaluation:
    """Play greedy episodes with a checkpoint of a run.

    Args:
        run_dir: the run's folder.
        episodes: how many.
        seed: of the episodes.
        env: makes the environment, where the name in the run's options cannot be looked up here.
        agent: makes the agent network, likewise.
        mixer: makes the mixer, likewise.
        checkpoint: ``newest``, ``best``, the number of its steps, or one that has been read.
        trust: the names in the run's options that may be imported, as for :meth:`pyqmix.Config.from_json`.

    Raises:
        ConfigError: a number is unusable, the folder is no run, its checkpoint is damaged, or its environment or a
            network is unknown here or not trusted.
        EnvError: an environment raised or gave something unusable.
    """
    require_int("episodes", episodes, 1, MOST_EPISODES)
    require_int("seed", seed, 0)
    config, network = load_agent(run_dir, env, agent, mixer, checkpoint, trust=trust)
    evaluator = Evaluator(config.replace(eval_episodes=episodes), network, seed)
    threads = config.threads if isinstance(config.threads, int) else usable_cores()
    with closing(evaluator), kernel_threads_of(threads):
        return evaluator.evaluate(episodes)


@usual_modes()
def load_agent(
    run_dir: AnyPath,
    env: Callable[..., Any] | None = None,
    agent: Callable[..., nn.Module] | None = None,
    mixer: Callable[..., nn.Module] | None = None,
    checkpoint: str | int | Stored = NEWEST,
    *,
    trust: Trust = False,
) -> tuple[Config, Agent]:
    """Return a run's options and the agent network of a checkpoint, on the CPU.

    Args:
        run_dir: the run's folder.
        env: as for :func:`evaluate_run`.
        agent: likewise.
        mixer: likewise.
        checkpoint: likewise.
        trust: likewise.

    Raises:
        ConfigError: the folder is no run, its checkpoint is damaged, or its environment or a network is unknown
            here or not trusted.
    """
    found = checkpoint if isinstance(checkpoint, Stored) else read_stored(run_dir, str(checkpoint))
    config = Config.from_json(Path(run_dir) / "config.json", env, agent, mixer, trust=trust).replace(device="cpu")
    world = config.create_env()
    with closing(world):
        learner = Learner(world.spec, config)
    load_weights(found, learner)
    return config, learner.agent
