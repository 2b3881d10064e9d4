"""Checkpoints: which ones a run has, and what their networks are.

``checkpoints/step_N/`` has all that a run needs to go on from step N; ``checkpoints/best_N/`` has the networks
alone, as they were at the best evaluation. ``progress.json`` lists the other files with their checksums:

- weights.safetensors: the online and the target networks;
- optimizer.safetensors: the optimizer's state of each parameter;
- training.safetensors: the sampler's random stream and priorities, and averages since the last line of metrics;
- replay_K.ring: the replay buffer, in parts, which later checkpoints share by hard links;
- ahead.ring: with ``--overlap``, the episodes that were played ahead.

Apart from the checksum of metrics.csv, which has columns of time, nothing in them depends on the clock. A folder
without progress.json is no checkpoint.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from torch import Tensor, nn

from pyqmix.base.errors import ConfigError
from pyqmix.base.files import PARTIAL
from pyqmix.base.options import LARGEST_INT, require_number
from pyqmix.base.spec import EpisodeSpec
from pyqmix.base.untrusted import require_folder
from pyqmix.run import manifest
from pyqmix.run.manifest import Manifest

FOLDER = "checkpoints"
NETWORKS = ("agent", "mixer", "target_agent", "target_mixer")
WEIGHTS, OPTIMIZER, TRAINING, AHEAD = (
    "weights.safetensors",
    "optimizer.safetensors",
    "training.safetensors",
    "ahead.ring",
)
NEWEST, BEST = "newest", "best"
_NAME = re.compile(r"(step|best)_(\d{1,19})")
_OWN_FILE = re.compile(rf"{manifest.NAME}|{WEIGHTS}|{OPTIMIZER}|{TRAINING}|{AHEAD}|replay_\d+\.ring")


def folders(run_dir: Path, kind: str = "step") -> list[tuple[int, Path]]:
    """Return the steps and folders of a run's checkpoints, the newest first.

    Args:
        run_dir: the run's folder.
        kind: ``step``, or ``best`` for those of the best evaluation.

    Raises:
        ConfigError: ``checkpoints`` is no folder.
    """
    return sorted(_found(run_dir, kind), reverse=True)


def find(run_dir: Path, which: str = NEWEST) -> Path:
    """Return the folder of one of a run's checkpoints.

    Args:
        run_dir: the run's folder.
        which: ``newest``, ``best``, or the number of its steps.

    Raises:
        ConfigError: the folder is no run, or the run has no such checkpoint.
    """
    if not (run_dir / "config.json").is_file():
        raise ConfigError(f"{run_dir}: expected the folder of a run, but it has no config.json")
    found = folders(run_dir, BEST if which == BEST else "step")
    if which in (NEWEST, BEST):
        if not found:
            raise ConfigError(
                f"{run_dir}: this run has no checkpoint" + (" of a best evaluation" * (which == BEST))
            )
        return found[0][1]
    for steps, folder in found:
        if which == str(steps):
            return folder
    has = ", ".join(str(steps) for steps, _ in found) or "none"
    raise ConfigError(f"checkpoint: expected one of {NEWEST}, {BEST}, {has} of {run_dir}, got {which!r}")


def whole(run_dir: Path, before: Path) -> Iterator[int]:
    """Give the steps of those checkpoints older than ``before`` whose files are all as written, newest first."""
    found = folders(run_dir)
    latest = next((steps for steps, folder in found if folder == before), LARGEST_INT)
    for steps, folder in found:
        with suppress(ConfigError):
            if steps < latest:
                Manifest.read(folder).verify()
                yield steps


def remove(folder: Path) -> None:
    """Remove a checkpoint: the files that pyqmix writes, and the folder if nothing else is in it."""
    if not folder.is_dir() or folder.is_symlink():
        return
    (folder / manifest.NAME).unlink(missing_ok=True)  # first: a half-removed checkpoint is none
    for file in folder.iterdir():
        if _OWN_FILE.fullmatch(file.name):
            file.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()


def remove_fragments(run_dir: Path) -> None:
    """Remove checkpoints that were not finished, or not removed whole, when a program was killed."""
    for folder in (run_dir / FOLDER).iterdir():
        unfinished = folder.name.endswith(PARTIAL)
        if _NAME.fullmatch(folder.name.removesuffix(PARTIAL)) and (
            unfinished or not (folder / manifest.NAME).exists()
        ):
            remove(folder)


def remove_later(run_dir: Path, steps: int) -> None:
    """Remove the checkpoints of later steps than the one from which a run goes on."""
    for kind in ("step", BEST):
        for number, folder in folders(run_dir, kind):
            if number > steps:
                remove(folder)


def read_spec(found: Manifest) -> EpisodeSpec:
    """Return the sizes of the episodes that a checkpoint's networks are for.

    Raises:
        ConfigError: they are no sizes.
    """
    sizes = found.value("spec")
    try:
        spec = EpisodeSpec(**sizes)
        for factor in (*(spec.obs_scale or ()), *(spec.state_scale or ())):
            require_number("scale", factor)
        return spec
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{found.folder}: expected the sizes of episodes, but {error}") from error


def read_weights(found: Manifest, name: str) -> dict[str, Tensor]:
    """Return the tensors of one of NETWORKS by their names in its ``state_dict``.

    Raises:
        ConfigError: they are damaged, or not finite.
    """
    prefix, tensors = name + ".", found.tensors(WEIGHTS)
    chosen = {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}
    manifest.finite(found.folder / WEIGHTS, chosen)
    return chosen


def load_network(found: Manifest, name: str, network: nn.Module) -> None:
    """Read one of NETWORKS from a checkpoint.

    Raises:
        ConfigError: the checkpoint is damaged, or its network is another one.
    """
    tensors, own = read_weights(found, name), network.state_dict()
    for key, tensor in own.items():
        got = tensors.get(key)
        if got is not None and (got.shape != tensor.shape or got.dtype != tensor.dtype):
            raise ConfigError(
                f"{found.folder / WEIGHTS}: {name}.{key}: expected {tuple(tensor.shape)} {tensor.dtype}, got "
                f"{tuple(got.shape)} {got.dtype}"
            )
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise ConfigError(f"{found.folder / WEIGHTS}: {' '.join(str(error).split())}") from error


def _found(run_dir: Path, kind: str) -> Iterator[tuple[int, Path]]:
    parent = run_dir / FOLDER
    if not parent.is_symlink() and not parent.exists():
        return
    require_folder(parent)
    for folder in parent.iterdir():
        match = _NAME.fullmatch(folder.name)
        if match and match[1] == kind and (folder / manifest.NAME).exists():
            require_folder(folder)
            yield int(match[2]), folder
