"""Checkpoints: safetensors and JSON, written whole or not at all.

``checkpoints/step_N/`` holds weights.safetensors (online and target networks), optimizer.safetensors and
progress.json. Nothing in them depends on the clock.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pyqmix.base.errors import ConfigError
from pyqmix.base.spec import EpisodeSpec
from pyqmix.learn.learner import Learner
from pyqmix.learn.standardiser import RewardStandardiser

_STEP_FOLDER = re.compile(r"step_(\d+)")
NETWORKS = ("agent", "mixer", "target_agent", "target_mixer")


@dataclass
class Progress:
    """How far a run has come.

    Attributes:
        steps: environment steps.
        episodes: training episodes.
        updates: training steps.
        evaluated_episodes: greedy episodes played for evaluation.
    """

    steps: int = 0
    episodes: int = 0
    updates: int = 0
    evaluated_episodes: int = 0


def save(run_dir: Path, learner: Learner, progress: Progress) -> Path:
    """Write the checkpoint of ``progress.steps`` and return its folder, which appears when it is complete."""
    folder = run_dir / "checkpoints" / f"step_{progress.steps}"
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        _write(partial, learner, progress)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    _flush(folder.parent)
    return folder


def latest(run_dir: Path) -> Path:
    """Return the newest checkpoint, which has the most steps.

    Raises:
        ConfigError: the folder is no run, or the run has no checkpoint.
    """
    if not (run_dir / "config.json").is_file():
        raise ConfigError(f"{run_dir}: expected the folder of a run, but it has no config.json")
    found = {}
    for folder in (run_dir / "checkpoints").glob("step_*"):
        if match := _STEP_FOLDER.fullmatch(folder.name):
            found[int(match[1])] = folder
    if not found:
        raise ConfigError(f"{run_dir}: this run has no checkpoint")
    return found[max(found)]


def load_weights(folder: Path, learner: Learner) -> Progress:
    """Read the networks of a checkpoint into a learner of the same configuration.

    Raises:
        ConfigError: the checkpoint is damaged, or of other networks or another environment.
    """
    progress, _, spec = _read_state(folder)
    if spec != _plain(learner.spec):
        raise ConfigError(f"{folder}: the environment has changed: {spec} became {learner.spec}")
    for name in NETWORKS:
        load_network(folder, name, getattr(learner, name))
    return progress


def load_network(folder: Path, name: str, network: nn.Module) -> None:
    """Read one of NETWORKS from a checkpoint.

    Raises:
        ConfigError: the checkpoint is damaged, or its network is another one.
    """
    try:
        network.load_state_dict(read_weights(folder, name))
    except RuntimeError as error:
        raise ConfigError(f"{folder}: {' '.join(str(error).split())}") from error


def read_weights(folder: Path, name: str) -> dict[str, Tensor]:
    """Return the tensors of one of NETWORKS by their names in its ``state_dict``.

    Raises:
        ConfigError: the checkpoint is damaged.
    """
    prefix, tensors = name + ".", _read(folder / "weights.safetensors")
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}


def read_spec(folder: Path) -> EpisodeSpec:
    """Return the sizes of the episodes that a checkpoint's networks are for.

    Raises:
        ConfigError: the checkpoint is damaged.
    """
    sizes = _read_state(folder)[2]
    try:
        return EpisodeSpec(**sizes)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{folder}: expected the sizes of episodes, but {error}") from error


def load(folder: Path, learner: Learner) -> Progress:
    """Read networks, optimizer and reward statistics, to go on training.

    Raises:
        ConfigError: as for :func:`load_weights`.
    """
    progress = load_weights(folder, learner)
    tensors = _read(folder / "optimizer.safetensors")
    values: dict[str, dict[str, Tensor]] = {}
    names = _parameter_names(learner)
    for key, tensor in tensors.items():
        parameter, _, entry = key.rpartition(".")
        if parameter not in names:
            raise ConfigError(f"{folder}: the optimizer has state for an unknown parameter {parameter!r}")
        values.setdefault(parameter, {})[entry] = tensor
    if progress.updates and len(values) < len(names):
        raise ConfigError(f"{folder}: the optimizer has state for {len(values)} of {len(names)} parameters")
    state = _joined([values[name] for name in names]) if values else {}
    learner.load_optimizer_state(state)
    learner.standardiser.load(_read_state(folder)[1])
    learner.updates = progress.updates
    return progress


def _write(folder: Path, learner: Learner, progress: Progress) -> None:
    save_file(_weights(learner), folder / "weights.safetensors")
    save_file(_optimizer_state(learner), folder / "optimizer.safetensors")
    state = {
        "progress": dataclasses.asdict(progress),
        "standardiser": learner.standardiser.state(),
        "spec": _plain(learner.spec),
    }
    (folder / "progress.json").write_text(json.dumps(state, indent=2) + "\n")
    for file in folder.iterdir():
        _flush(file)


def _plain(spec: EpisodeSpec) -> dict[str, Any]:
    """Convert a spec to the form that reading it from JSON gives."""
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(spec)))
    return plain


def _weights(learner: Learner) -> dict[str, Tensor]:
    return {
        f"{name}.{key}": tensor.clone()  # a copy, outside the block of all parameters
        for name in NETWORKS
        for key, tensor in getattr(learner, name).state_dict().items()
    }


def _parameter_names(learner: Learner) -> list[str]:
    """Name the learner's parameters in the optimizer's order."""
    return [f"{n}.{key}" for n in ("agent", "mixer") for key, _ in getattr(learner, n).named_parameters()]


def _optimizer_state(learner: Learner) -> dict[str, Tensor]:
    """Cut the optimizer's state of the one block into that of each parameter."""
    names = _parameter_names(learner)
    state: dict[int, dict[str, Tensor]] = learner.optimizer.state_dict()["state"]
    cut: dict[str, Tensor] = {}
    for entry, tensor in state.get(0, {}).items():
        parts = learner.flat.views(tensor) if tensor.dim() else [tensor] * len(names)
        cut |= {f"{name}.{entry}": part.clone() for name, part in zip(names, parts, strict=True)}
    return cut


def _joined(values: list[dict[str, Tensor]]) -> dict[int, dict[str, Tensor]]:
    """Join the states that :func:`_optimizer_state` cut; the number of steps is the same for all."""
    first = values[0]
    return {
        0: {
            entry: torch.cat([value[entry].reshape(-1) for value in values]) if entry != "step" else first[entry]
            for entry in first
        }
    }


def _read(path: Path) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"{path}: expected the tensors of a checkpoint, but {error}") from error
    return tensors


def _read_state(folder: Path) -> tuple[Progress, dict[str, float], dict[str, Any]]:
    path = folder / "progress.json"
    try:
        state = json.loads(path.read_text())
        standardiser = RewardStandardiser(**state["standardiser"]).state()
        return Progress(**state["progress"]), standardiser, state["spec"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path}: expected the progress of a run, but {type(error).__name__}: {error}"
        ) from error


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
