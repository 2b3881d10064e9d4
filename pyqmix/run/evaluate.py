"""Greedy episodes with the newest checkpoint of a run."""

from __future__ import annotations

from pathlib import Path

from pyqmix.base.options import require_int
from pyqmix.config import Config
from pyqmix.learn.learner import Learner
from pyqmix.nn import Agent
from pyqmix.play.evaluator import Evaluation, Evaluator
from pyqmix.run import checkpoint


def evaluate_run(run_dir: Path, episodes: int, seed: int) -> Evaluation:
    """Play greedy episodes with the newest checkpoint of a run.

    Args:
        run_dir: the run's folder.
        episodes: how many.
        seed: of the episodes.

    Raises:
        ConfigError: a number is unusable, the folder is no run, or its checkpoint is damaged.
        EnvError: an environment raised or gave something unusable.
    """
    require_int("episodes", episodes, 1)
    require_int("seed", seed, 0)
    config, agent = load_agent(run_dir)
    evaluator = Evaluator(config.replace(eval_episodes=episodes), agent, seed)
    try:
        return evaluator.evaluate(episodes)
    finally:
        evaluator.close()


def load_agent(run_dir: Path) -> tuple[Config, Agent]:
    """Return a run's options and the agent network of its newest checkpoint, on the CPU.

    Raises:
        ConfigError: the folder is no run, or its checkpoint is damaged.
    """
    newest = checkpoint.latest(run_dir)
    config = Config.from_json(run_dir / "config.json").replace(device="cpu")
    env = config.create_env()
    learner = Learner(env.spec, config)
    env.close()
    checkpoint.load_weights(newest, learner)
    return config, learner.agent
