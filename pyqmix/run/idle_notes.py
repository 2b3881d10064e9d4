"""Tells at a run's start that part of it will do nothing: no batch, no training step, exploration that stays."""

from __future__ import annotations

import math
from typing import NamedTuple

from pyqmix.config import Config

_FALLEN = 0.5  # the least share of its way that exploration should fall in a run


class _Counts(NamedTuple):
    """Whole rounds of ``num_envs`` episodes, and the training steps in them."""

    rounds: int
    episodes: int
    updates: float


def idle_notes(config: Config, episode_limit: int) -> list[str]:
    """Return a sentence for each part of a new run that will do nothing, with the option that changes it.

    The number of episodes is not known before they are played: it is largest if each episode lasts one step, and
    smallest if each lasts as long as the step limit allows. A sentence that holds for the smallest number alone
    has this condition in it.

    Args:
        config: the run's options.
        episode_limit: the most steps of an episode.
    """
    most, fewest = _counts(config, 1), _counts(config, episode_limit)
    notes = [_about_learning(config, most, ""), _about_exploration(config)]
    if notes[0] is None:
        notes[0] = _about_learning(config, fewest, f" if its episodes last the limit of {episode_limit:,} steps")
    return [note for note in notes if note is not None]


def _counts(config: Config, length: int) -> _Counts:
    rounds = math.ceil(config.total_steps / (config.num_envs * length))
    learning = rounds - math.ceil(config.batch_size / config.num_envs) + 1  # with a batch in the replay buffer
    return _Counts(rounds, rounds * config.num_envs, config.updates_due(max(0, learning) * config.num_envs))


def _about_learning(config: Config, counts: _Counts, condition: str) -> str | None:
    """Say whether a run of these counts learns nothing, or learns from targets that are never copied."""
    play = f"total_steps {config.total_steps:,}: the run plays {counts.episodes:,} episodes{condition}"
    if counts.episodes < config.batch_size:
        return f"{play}, fewer than batch_size {config.batch_size:,}: nothing is learned; raise total_steps"
    if counts.updates < 1.0:
        return f"{play}, for which no training step is due: nothing is learned; raise total_steps"
    if counts.updates < config.target_update:
        return (
            f"{play} and takes {int(counts.updates):,} training steps, fewer than target_update "
            f"{config.target_update:,}: the target networks keep their first weights; lower target_update"
        )
    return None


def _about_exploration(config: Config) -> str | None:
    steps = config.in_steps(config.eps_steps)
    if config.eps_start == config.eps_end or config.total_steps / steps >= _FALLEN:
        return None
    return (
        f"eps_steps {steps:,}: exploration is still {config.epsilon(config.total_steps):.2f} at the "
        f"end of the run, as total_steps is {config.total_steps:,}; lower eps_steps"
    )
