"""Checks of options that depend on each other."""

from __future__ import annotations

from typing import Any

from pyqmix.base.errors import ConfigError
from pyqmix.base.options import require_number
from pyqmix.nn import AGENTS


def check_together(config: Any) -> None:
    """Require that the options of a :class:`pyqmix.Config`, each of which is usable, fit together.

    Raises:
        ConfigError: some do not; the message names them.
    """
    _require_place(config)
    rounds = max(1, config.max_staleness)
    if config.num_workers > config.num_envs * rounds:
        ahead = "" if rounds == 1 else f" x max_staleness {rounds}"
        raise ConfigError(
            f"num_workers: expected at most num_envs {config.num_envs}{ahead}, the episodes that are played at "
            f"the same time, got {config.num_workers}"
        )
    if config.target_tau == 0:
        raise ConfigError(f"target_tau: expected a number above 0, got {config.target_tau!r}")
    if config.td_lambda > 0 and config.n_step > 1:
        raise ConfigError(
            f"n_step: expected 1 where td_lambda is above 0, as it averages over all n, got {config.n_step} "
            f"and td_lambda {config.td_lambda:g}"
        )
    if config.episodes_per_update is not None and config.updates_per_episode is not None:
        raise ConfigError(
            "episodes_per_update: expected it or updates_per_episode, as each is 1 / the other, got "
            f"{config.episodes_per_update} and updates_per_episode {config.updates_per_episode:g}"
        )
    if config.lr_end is not None:
        require_number("lr_end", config.lr_end, low=0.0, high=config.lr)
    if config.batch_transitions is not None:
        _require_single_transitions(config)
    if config.batch_size + config.num_envs > config.buffer_size:
        raise ConfigError(
            f"buffer_size: expected at least batch_size + num_envs = {config.batch_size + config.num_envs} "
            f"episodes, got {config.buffer_size}"
        )


def _require_place(config: Any) -> None:
    """Require that the options of where episodes are played fit together."""
    on_ray = config.rollout == "ray"
    if on_ray and config.num_workers == 0:
        raise ConfigError("num_workers: expected 1 or more with rollout ray, one for each CPU that plays, got 0")
    if on_ray and config.overlap:
        raise ConfigError("overlap: expected False with rollout ray, where max_staleness 1 plays ahead, got True")
    if not on_ray and config.max_staleness > 0:
        raise ConfigError(
            f"max_staleness: expected 0 without rollout ray, got {config.max_staleness} and rollout "
            f"{config.rollout}"
        )


def _require_single_transitions(config: Any) -> None:
    recurrent = getattr(AGENTS[config.agent], "recurrent", False)  # a function's agent is asked when it is built
    if recurrent or config.td_lambda > 0 or config.n_step > 1:
        loaded = (name for name in AGENTS if ":" not in name)
        feed_forward = " or ".join(name for name in loaded if not getattr(AGENTS[name], "recurrent", False))
        raise ConfigError(
            f"batch_transitions: expected agent {feed_forward}, n_step 1 and td_lambda 0, which need no more "
            f"than single transitions, got {config.agent}, {config.n_step} and {config.td_lambda:g}"
        )
