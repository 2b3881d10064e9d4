"""How a run goes on from a checkpoint, and which of its options may change then."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pyqmix.base.errors import ConfigError
from pyqmix.base.sealed import read_object
from pyqmix.config import Config
from pyqmix.loggers import LOGGERS
from pyqmix.run import checkpoint, metrics, state
from pyqmix.run.folder import RunFolder
from pyqmix.run.manifest import Manifest
from pyqmix.run.metrics import Metrics
from pyqmix.run.ring_parts import RingParts
from pyqmix.run.schedule import NAMES
from pyqmix.run.state import Parts

MAY_CHANGE = {
    "total_steps",
    "eval_every",
    "checkpoint_every",
    "checkpoint_replay",
    "keep_checkpoints",
    "log_every",
    "loggers",
    "project",
    "device",
    "threads",
    "num_workers",
    "rollout",
    "ray_address",
    "step_timeout",
    "run_dir",
}


def choose(config: Config, run_dir: Path, which: str = checkpoint.NEWEST) -> Manifest | None:
    """Return the checkpoint that a run goes on from; None where it has none yet and starts over.

    Args:
        config: its options from now on.
        run_dir: the run's folder.
        which: ``newest``, or the number of a checkpoint's steps.

    Raises:
        ConfigError: an option has changed that a run keeps; or the checkpoint is absent or damaged.
    """
    _require_same(config, run_dir)
    if which == checkpoint.NEWEST and not checkpoint.folders(run_dir):
        return None
    if which == checkpoint.BEST:
        raise ConfigError("checkpoint: the one of the best evaluation has the networks alone: a run cannot go on")
    folder = checkpoint.find(run_dir, which)
    with _offering(folder):
        found = Manifest.read(folder)
    _require_steps_left(config, found, run_dir)
    return found


def require_learners(run_dir: Path, learners: int) -> None:
    """Require that a run goes on with the number of learners that it began with.

    Raises:
        ConfigError: it does not.
    """
    for _, newest in checkpoint.folders(run_dir)[:1]:
        with suppress(ConfigError):  # of a damaged checkpoint, which is told where it is read
            began = Manifest.read(newest).state.get("learners", 1)
            break
    else:
        return
    if began != learners:
        raise ConfigError(
            f"{run_dir}: a resumed run keeps its number of learners, which torchrun --nproc-per-node sets: "
            f"expected {began}, got {learners}"
        )


@contextmanager
def offering_an_older_one(found: Manifest | None) -> Iterator[None]:
    """Let a ConfigError about a checkpoint name the newest older one that is whole."""
    if found is None:
        yield
        return
    with _offering(found.folder):
        yield


@contextmanager
def _offering(folder: Path) -> Iterator[None]:
    try:
        yield
    except ConfigError as error:
        steps = next((steps for steps in checkpoint.whole(folder.parent.parent, before=folder)), None)
        if steps is None:
            raise
        raise ConfigError(f"{error}; --checkpoint {steps} goes on from an older one, which is whole") from error


def history(found: Manifest) -> list[Metrics]:
    """Return the lines of metrics.csv that a run had written by its checkpoint.

    Raises:
        ConfigError: they are damaged.
    """
    lines, checksum = found.integer("metrics", "lines"), found.value("metrics", "checksum")
    return metrics.first_lines(found.folder.parent.parent, lines, checksum)


def pending(found: Manifest) -> list[str]:
    """Return what was due at a checkpoint and had not been done.

    Raises:
        ConfigError: it is nothing that a run does.
    """
    names = found.value("pending")
    if not isinstance(names, list) or not all(name in NAMES for name in names):
        raise ConfigError(f"{found.folder}: expected some of {', '.join(NAMES)} as pending, got {names!r}")
    return names


def restore(found: Manifest, parts: Parts, ring_parts: RingParts | None) -> str:
    """Read the state of a run, but for its learner; say what has been restored.

    Raises:
        ConfigError: the checkpoint is damaged.
    """
    replay = state.read_training(found, parts)
    if replay and ring_parts is not None:
        ring_parts.resume(found)
    begins = f"resumed at step {parts.progress.steps:,} "
    if replay:
        return begins + "with networks, optimizer, replay buffer, random streams and counters"
    return begins + (
        "with networks, optimizer and counters; not restored, as the checkpoint does not have them "
        "(--no-checkpoint-replay): the replay buffer, which fills again, and the sampler's place in its stream"
    )


def start_notes(config: Config, folder: RunFolder, found: Manifest | None) -> Iterator[str]:
    """Say what is special at a run's start.

    Args:
        config: its options from now on.
        folder: the run's, whose config.json has the options so far, if it is resumed.
        found: the checkpoint that it goes on from.

    Raises:
        ConfigError: config.json or the checkpoint is damaged.
    """
    if not folder.lock.works:
        yield f"the file system of {folder.name} has no locks: let no other program write this folder"
    if folder.resumed and found is None:
        yield "this run was stopped before its first checkpoint: it starts over"
    if folder.resumed:
        yield from _lost_loggers(folder)
    if found is not None:
        yield from _extension(config, _saved(folder.path).get("total_steps"), state.read_progress(found).steps)


def _extension(config: Config, before: object, steps: int) -> Iterator[str]:
    """Say what another ``total_steps`` does to the schedules that are a share of the run."""
    if before == config.total_steps or not isinstance(before, int):
        return
    earlier = config.replace(total_steps=before)
    schedules = [
        ("learning rate", Config.learning_rate, "--lr-end"),
        ("exploration", Config.epsilon, "--eps-steps"),
    ]
    if config.prioritised:
        schedules.append(("exponent of the importance weights", Config.importance_exponent, "--per-beta-steps"))
    for name, schedule, option in schedules:
        old, new = schedule(earlier, steps), schedule(config, steps)
        if old != new:
            yield (
                f"--total-steps {before:,} became {config.total_steps:,}: the {name}, whose schedule is a share "
                f"of the run ({option}), goes from {old:.4g} to {new:.4g} at this step"
            )


def _require_same(config: Config, run_dir: Path) -> None:
    saved = _saved(run_dir)
    for name, value in json.loads(json.dumps(dataclasses.asdict(config))).items():
        if name not in MAY_CHANGE and name in saved and saved[name] != value:
            raise ConfigError(f"{name}: a resumed run keeps its {saved[name]!r}, got {value!r}")


def _require_steps_left(config: Config, found: Manifest, run_dir: Path) -> None:
    steps = state.read_progress(found).steps
    if config.total_steps < steps and config.total_steps != _saved(run_dir).get("total_steps"):
        raise ConfigError(
            f"total_steps: expected at least the {steps:,} steps that the run has taken, got "
            f"{config.total_steps:,}"
        )


def _saved(run_dir: Path) -> dict[str, object]:
    return read_object(run_dir / "config.json")


def _lost_loggers(folder: RunFolder) -> Iterator[str]:
    """Name the loggers that config.json has and that are unknown here."""
    names = _saved(folder.path).get("loggers")
    if isinstance(names, list) and (lost := [str(name) for name in names if name not in LOGGERS.names]):
        yield f"not registered here, and left out: the run's loggers {', '.join(lost)}"
