"""Greedy episodes as a moving picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from pyqmix.base.errors import ConfigError
from pyqmix.base.files import replacing
from pyqmix.base.seeding import Stream, derive_seed
from pyqmix.base.untrusted import require_replaceable
from pyqmix.config.trust import Trust
from pyqmix.envs import Env
from pyqmix.nn import Agent
from pyqmix.play.rollout import epsilon_greedy
from pyqmix.run.checkpoint import NEWEST
from pyqmix.run.evaluate import load_agent
from pyqmix.run.stored import Stored

EPISODES = 3


def record_run(
    run_dir: Path,
    path: Path,
    seed: int,
    env: Callable[..., Any] | None = None,
    agent: Callable[..., nn.Module] | None = None,
    mixer: Callable[..., nn.Module] | None = None,
    checkpoint: str | int | Stored = NEWEST,
    *,
    trust: Trust = False,
) -> None:
    """Write a GIF of the first greedy episodes that ``pyqmix-eval`` of this seed plays.

    Args:
        run_dir: the run's folder.
        path: the file.
        seed: of the episodes.
        env: as for :func:`pyqmix.run.evaluate.evaluate_run`.
        agent: likewise.
        mixer: likewise.
        checkpoint: likewise.
        trust: likewise.

    Raises:
        ConfigError: the folder is no run, its environment cannot be drawn, the file cannot be written, or the
            environment or a network is unknown here or not trusted.
    """
    if path.suffix.lower() != ".gif" or not path.parent.is_dir():
        raise ConfigError(f"gif: expected the name of a .gif file in a folder that exists, got {path}")
    require_replaceable(path)
    config, network = load_agent(run_dir, env, agent, mixer, checkpoint, trust=trust)
    world = config.create_env()
    try:
        save_gif(path, (frame for k in range(EPISODES) for frame in _episode(world, network, seed, k)))
    except OSError as error:
        raise ConfigError(f"gif: {path} cannot be written: {error}") from None
    finally:
        world.close()


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
            f"gif: environment {env.name} cannot be drawn; lbf and smax can, and one of another library that was "
            'made with --env-args \'{"render_mode": "rgb_array"}\''
        )
    return frame


def save_gif(path: Path, frames: Iterable[NDArray[np.uint8]], fps: float = 5.0) -> None:
    """Write frames as a GIF that repeats; the last one stays for a second.

    Each frame is reduced to one byte a pixel, in the colours of the first, before the next one is drawn.
    """
    images: list[Image.Image] = []
    for frame in frames:
        image = Image.fromarray(frame)
        palette = images[0] if images else image.quantize(256, dither=Image.Dither.NONE)
        images.append(image.quantize(palette=palette, dither=Image.Dither.NONE))
    durations = [round(1000 / fps)] * (len(images) - 1) + [1000]
    with replacing(path) as temporary:  # a link in its place is not followed
        timing: dict[str, Any] = {"duration": durations, "loop": 0, "disposal": 1}
        images[0].save(temporary, format="GIF", save_all=True, append_images=images[1:], **timing)
