"""The share that each of several learners has of a run's options."""

from __future__ import annotations

from pyqmix.base.errors import ConfigError
from pyqmix.config.config import Config

_DIVIDED = ("num_envs", "num_workers", "batch_size", "buffer_size")
_BY_PARTS = "each of which sees a part of the batch"
# What several learners cannot do, and why.
_OF_ONE = {
    "prioritised": (False, _BY_PARTS),
    "standardise_rewards": ("off", _BY_PARTS),
    "batch_transitions": (None, _BY_PARTS),
    "rollout": ("local", "each of which plays where it learns"),
}


def share_of(config: Config, learners: int) -> Config:
    """Return one learner's options of a run: its share of the episodes, the batch and the replay buffer.

    Evaluations are divided where they are played, because they need no equal shares.

    Args:
        config: the run's options.
        learners: how many it has.

    Raises:
        ConfigError: an option cannot be divided among them.
    """
    if learners == 1:
        return config
    for name in _DIVIDED:
        if getattr(config, name) % learners:
            raise ConfigError(
                f"{name}: expected a multiple of the {learners} learners, got {getattr(config, name):,}"
            )
    if config.eval_episodes < learners:
        raise ConfigError(
            f"eval_episodes: expected at least one for each of the {learners} learners, got {config.eval_episodes}"
        )
    for name, (expected, reason) in _OF_ONE.items():
        if (got := getattr(config, name)) != expected:
            raise ConfigError(f"{name}: expected {expected} with {learners} learners, {reason}, got {got}")
    return config.replace(**{name: getattr(config, name) // learners for name in _DIVIDED})
