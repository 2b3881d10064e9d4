"""Greedy episodes as a moving picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pyqmix.base.errors import ConfigError
from pyqmix.base.seeding import Stream, derive_seed
from pyqmix.envs import Env, create_env
from pyqmix.envs.lbf.drawing import save_gif
from pyqmix.nn.agents import Agent
from pyqmix.play.rollout import epsilon_greedy
from pyqmix.run.evaluate import load_agent

EPISODES = 3


def record_run(run_dir: Path, path: Path, seed: int) -> None:
    """Write a GIF of the first greedy episodes that ``pyqmix-eval`` of this seed plays.

    Raises:
        ConfigError: the folder is no run, its environment cannot be drawn, or the file cannot be written.
    """
    if path.suffix.lower() != ".gif" or not path.parent.is_dir():
        raise ConfigError(f"gif: expected the name of a .gif file in a folder that exists, got {path}")
    config, agent = load_agent(run_dir)
    env = create_env(config.env, config.task, config.env_options())
    try:
        save_gif(path, (frame for k in range(EPISODES) for frame in _episode(env, agent, seed, k)))
    except OSError as error:
        raise ConfigError(f"gif: {path} cannot be written: {error}") from None
    finally:
        env.close()


@torch.inference_mode()
def _episode(env: Env, agent: Agent, seed: int, index: int) -> Iterator[NDArray[np.uint8]]:
    point = env.reset(derive_seed(seed, Stream.EVALUATION, index))
    yield _draw(env)
    hidden, ended = agent.initial_hidden(1), False
    never = np.ones(env.spec.n_agents)
    while not ended:
        qs, hidden = agent.act(torch.from_numpy(point.obs)[None], hidden)
        step = env.step(epsilon_greedy(qs[0].numpy(), point.avail, 0.0, never, never))
        point, ended = step.point, step.terminated or step.truncated
        yield _draw(env)


def _draw(env: Env) -> NDArray[np.uint8]:
    render = getattr(env, "render", None)
    frame = render() if render is not None else None
    if not isinstance(frame, np.ndarray):
        raise ConfigError(
            f"gif: environment {env.name} cannot be drawn; lbf can, and a gymnasium environment that was made "
            'with --env-args \'{"render_mode": "rgb_array"}\''
        )
    return frame
