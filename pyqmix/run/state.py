"""The state of a run: all that decides how it goes on, written to a checkpoint and read from one.

A run that goes on from a checkpoint is bit-identical with one that was never stopped. All that is derived from the
seed and a counter (episodes' seeds, exploration, dropout, the draws of transitions) needs no state.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pyqmix.base.errors import ConfigError
from pyqmix.base.options import require_int, require_number
from pyqmix.learn.learner import Learner
from pyqmix.play.episodes import Ahead, Played
from pyqmix.play.training import TrainingRollout
from pyqmix.replay import EpisodeRing, EpisodeSampler
from pyqmix.run import checkpoint, learner_state, manifest
from pyqmix.run.draft import Draft
from pyqmix.run.manifest import Manifest
from pyqmix.run.ring_parts import RingParts
from pyqmix.run.window import Window


@dataclass
class Progress:
    """How far a run has come.

    Attributes:
        steps: environment steps.
        episodes: training episodes.
        updates: training steps.
        evaluated_episodes: greedy episodes played for evaluation.
        due_updates: training steps that are due, with the fraction that is not due yet.
    """

    steps: int = 0
    episodes: int = 0
    updates: int = 0
    evaluated_episodes: int = 0
    due_updates: float = 0.0


@dataclass
class Parts:
    """The parts of a run that have a state.

    Attributes:
        progress: its counters.
        learner: networks and optimizer.
        ring: the replay buffer.
        sampler: draws from it.
        rollout: plays into it.
        window: the averages since the last line of metrics.
        tickets: of the ring, at the end of the last round: episodes of a round that failed are not kept.
    """

    progress: Progress
    learner: Learner
    ring: EpisodeRing
    sampler: EpisodeSampler
    rollout: TrainingRollout
    window: Window
    tickets: int = 0


def write(draft: Draft, parts: Parts, replay: RingParts | None, more: Mapping[str, Any]) -> None:
    """Write a run's state.

    Args:
        draft: of the checkpoint.
        parts: of the run.
        replay: writes the ring; None leaves out the replay buffer and all that refers to it.
        more: further entries of progress.json.
    """
    training = {f"window.{name}": tensor for name, tensor in parts.window.tensors().items()}
    state: dict[str, Any] = {"first_step": parts.window.first_step, "replay": None, "ahead": [], **more}
    if replay is not None:
        state["replay"] = replay.write(draft, parts.tickets)
        training |= {f"sampler.{name}": torch.from_numpy(a) for name, a in parts.sampler.state().items()}
        state["ahead"] = _write_ahead(draft, parts.rollout, training)
    draft.tensors(checkpoint.TRAINING, training)
    draft.tensors(checkpoint.OPTIMIZER, learner_state.optimizer(parts.learner))
    write_networks(draft, parts.progress, parts.learner, state)


def write_networks(draft: Draft, progress: Progress, learner: Learner, more: Mapping[str, Any]) -> None:
    """Write a run's networks and counters."""
    draft.tensors(checkpoint.WEIGHTS, learner_state.weights(learner))
    draft.finish(
        {
            "progress": dataclasses.asdict(progress),
            "standardiser": learner.standardiser.state(),
            "spec": dataclasses.asdict(learner.spec),
            **more,
        }
    )


def read_progress(found: Manifest) -> Progress:
    """Return a checkpoint's counters.

    Raises:
        ConfigError: they are none.
    """
    values = found.value("progress")
    try:
        progress = Progress(**values)
        for name, value in vars(progress).items():
            require_number(name, value, low=-1e-6) if name == "due_updates" else require_int(name, value, 0)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{found.folder / manifest.NAME}: expected the progress of a run, but {error}"
        ) from error
    return progress


def read_learner(found: Manifest, learner: Learner) -> Progress:
    """Read networks, optimizer and counters, to go on training; return the counters.

    Raises:
        ConfigError: the checkpoint is damaged, or of other networks or another environment.
    """
    progress = read_progress(found)
    learner.updates = progress.updates
    learner_state.load(found, learner)
    return progress


def read_training(found: Manifest, parts: Parts) -> bool:
    """Read all but the learner's part; return whether the replay buffer was there.

    Args:
        found: the checkpoint.
        parts: of the run, whose ring is fresh.

    Raises:
        ConfigError: the checkpoint is damaged, or of another replay buffer.
    """
    path = found.folder / checkpoint.TRAINING
    tensors = found.tensors(checkpoint.TRAINING)
    try:
        first_step = found.integer("first_step", high=parts.progress.steps)
        parts.window = Window(first_step, parts.progress.steps)
        parts.window.load(_under(tensors, "window"), parts.learner.device)
        if found.value("replay") is None:
            return False
        parts.tickets = RingParts.read(found, parts.ring)
        parts.sampler.load_state({name: tensor.numpy() for name, tensor in _under(tensors, "sampler").items()})
        _read_ahead(found, parts, _under(tensors, "ahead"))
    except ConfigError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{path}: expected the state of a run, but {error}") from error
    return True


def _write_ahead(draft: Draft, rollout: TrainingRollout, training: dict[str, Tensor]) -> list[dict[str, Any]]:
    kept = rollout.kept()
    if kept:
        draft.ring(checkpoint.AHEAD, rollout.staged, 0, rollout.staged.tickets)
    for k, ahead in enumerate(kept):
        played = {name: value for name, value in vars(ahead.played).items() if value is not None}
        training |= {f"ahead.{k}.{name}": torch.from_numpy(value) for name, value in played.items()}
    return [{name: value for name, value in vars(ahead).items() if name != "played"} for ahead in kept]


def _read_ahead(found: Manifest, parts: Parts, tensors: Mapping[str, Tensor]) -> None:
    config, rollout, entries = parts.learner.config, parts.rollout, found.value("ahead")
    if not entries:
        return
    if config.max_staleness + config.overlap < len(entries):
        raise ValueError("it has episodes that were played ahead")
    found.ring([checkpoint.AHEAD], rollout.staged)
    kept = []
    for k, entry in enumerate(entries):
        played = Played(**{name: tensor.numpy() for name, tensor in _under(tensors, str(k)).items()})
        kept.append(Ahead(**entry, played=played))
        _require_next(kept[k], k, len(entries), parts)
    rollout.take_back(kept)


def _require_next(ahead: Ahead, place: int, places: int, parts: Parts) -> None:
    """Require that a round that was played ahead is the run's next one, or the next but some."""
    config, progress, rollout = parts.learner.config, parts.progress, parts.rollout
    count = config.num_envs
    ranks = parts.learner.ranks
    first = progress.episodes + (place * ranks.count + ranks.rank) * count
    ticket = rollout.staged.tickets - (places - place) * count
    epsilon = config.epsilon(progress.steps) if config.overlap else ahead.epsilon  # others were ordered earlier
    behind = 1 if config.overlap else ahead.behind
    if ahead != Ahead(first, count, epsilon, ticket, behind, ahead.played):
        raise ValueError(f"the episodes that were played ahead are others than the run's next ones: {ahead}")
    require_number("epsilon", ahead.epsilon, 0.0, 1.0)
    require_int("behind", ahead.behind, 0, config.max_staleness + 1)
    played = ahead.played
    if any(value is not None and len(value) != count for value in vars(played).values()):
        raise ValueError(f"the results of {count} episodes that were played ahead are of another number")
    if not math.isfinite(float(played.returns.sum())) or (played.lengths < 1).any():
        raise ValueError("the results of episodes that were played ahead are no returns and lengths")


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    start = prefix + "."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
