"""Plays the episodes of an evaluation once more, and shows each point in time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pyqmix.base.errors import ConfigError
from pyqmix.base.seeding import Stream, episode_seed
from pyqmix.envs import Env
from pyqmix.envs.importing import blamed
from pyqmix.nn import Agent
from pyqmix.play.rollout import epsilon_greedy


@dataclass(frozen=True)
class Moment:
    """One point in time, with the step that led to it.

    Attributes:
        picture: (H, W, 3) uint8, the environment's own.
        episode: its index.
        steps: steps so far.
        actions: (n,) int64, those of the step; None at the episode's start.
        values: (n,) float32, the agents' values of these actions; None at the episode's start.
        chose: (n,) bool, whether the agent had more than one available action; None at the episode's start.
        reward: the step's.
        total: the return so far.
        ended: whether the episode is over.
        won: whether the team has won; None where the environment does not tell.
    """

    picture: NDArray[np.uint8]
    episode: int
    steps: int = 0
    actions: NDArray[np.int64] | None = None
    values: NDArray[np.float32] | None = None
    chose: NDArray[np.bool_] | None = None
    reward: float = 0.0
    total: float = 0.0
    ended: bool = False
    won: bool | None = None


@torch.inference_mode()
def play_moments(env: Env, agent: Agent, seed: int, index: int) -> Iterator[Moment]:
    """Play episode ``index`` of the evaluation with this seed, greedily.

    Args:
        env: the environment, which can draw.
        agent: the policy, on the CPU.
        seed: the evaluation's.
        index: the episode's.

    Raises:
        ConfigError: the environment cannot be drawn.
        EnvError: it raised an error, which is the cause.
    """
    with blamed(env.name, "reset"):
        point = env.reset(episode_seed(seed, Stream.EVALUATION, index, getattr(env, "wide_seeds", False)))
    moment = Moment(draw(env), index)
    yield moment
    hidden, agents = agent.initial_hidden(1), np.arange(env.spec.n_agents)
    never = np.ones(env.spec.n_agents)
    while not moment.ended:
        qs, hidden = agent.act(torch.from_numpy(point.obs)[None], hidden)
        values = qs[0].numpy()
        actions = epsilon_greedy(values, point.avail, 0.0, never, never)
        chose = point.avail.sum(-1) > 1
        with blamed(env.name, "step"):
            step = env.step(actions)
        point, ended = step.point, step.terminated or step.truncated
        moment = Moment(
            picture=draw(env),
            episode=index,
            steps=moment.steps + 1,
            actions=actions,
            values=values[agents, actions],
            chose=chose,
            reward=float(step.reward),
            total=moment.total + float(step.reward),
            ended=bool(ended),
            won=step.won if ended else None,
        )
        yield moment


def draw(env: Env) -> NDArray[np.uint8]:
    """Return the environment's picture, (H, W, 3) uint8.

    Raises:
        ConfigError: it has none, or gives something else.
        EnvError: it raised an error, which is the cause.
    """
    render = getattr(env, "render", None)
    with blamed(env.name, "render"):
        picture: Any = render() if render is not None else None
    if picture is None:
        raise ConfigError(
            f"environment {env.name} cannot be drawn; lbf and smax can, one of another library that has the "
            "render_mode rgb_array, and one of yours whose render() returns a picture"
        )
    if not isinstance(picture, np.ndarray) or picture.dtype != np.uint8 or not _is_picture(picture.shape):
        kind = type(picture).__name__
        got = f"{picture.shape} {picture.dtype}" if isinstance(picture, np.ndarray) else kind
        raise ConfigError(
            f"environment {env.name} cannot be drawn: expected (H, W, 3) uint8 of its render(), got {got}"
        )
    return picture[..., :3]


def _is_picture(shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 and shape[2] in (3, 4) and min(shape) > 0  # the fourth is opacity
