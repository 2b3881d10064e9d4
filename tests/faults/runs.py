"""Tiny runs that end in a second, and their comparison."""

import csv
import json
import logging
import os
import tempfile
from pathlib import Path

import harness
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pyqmix.base.errors import ConfigError
from pyqmix.replay import EpisodeRing
from pyqmix.run.checkpoint import read_spec
from pyqmix.run.manifest import Manifest
from pyqmix.run.ring_parts import RingParts

SIZES = "--batch-size 8 --buffer-size 32 --hidden-dim 8 --embed-dim 4 --hypernet-dim 8 --num-envs 2 --threads 1"
TIMES = (
    "--total-steps 700 --eval-every 200 --eval-episodes 4 --log-every 100 --checkpoint-every 20 --eps-steps 500"
)
COMMON = f"{SIZES} {TIMES} --target-update 10 --updates-per-episode 0.7 --device cpu".split()
TASK = ["--task", "Foraging-5x5-2p-1f-v3", "--episode-limit", "20"]
LBF = ["--env", "lbf", *TASK, *COMMON]
VARIANTS = {
    "default": LBF,
    "overlap": [*LBF, "--overlap"],
    "prioritised": [*LBF, "--prioritised"],
    "workers": ["--env", "pettingzoo", "--task", "mpe.simple_spread_v3", "--num-workers", "2", *COMMON],
    "all": [*LBF, "--overlap", "--prioritised", "--optimizer", "rmsprop", "--standardise-rewards", "masked"],
}
logging.getLogger("tensorboard").setLevel(logging.ERROR)

CLOCK = ("env_steps_per_second", "wall_seconds")  # columns, tags and entries that depend on the time


def content(run_dir: Path) -> dict[str, object]:
    """Return everything in a finished run that may not depend on how it came to its end."""
    found: dict[str, object] = {"config.json": (run_dir / "config.json").read_text()}
    with (run_dir / "metrics.csv").open(newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            found[f"metrics.csv, line {number + 2}"] = {k: v for k, v in row.items() if k not in CLOCK}
    summary = json.loads((run_dir / "summary.json").read_text())
    found["summary.json"] = {k: v for k, v in summary.items() if k not in CLOCK}
    board = EventAccumulator(str(run_dir), size_guidance={"scalars": 0}).Reload()
    for tag in board.Tags()["scalars"]:
        if tag not in CLOCK:
            found[f"TensorBoard, {tag}"] = [(event.step, repr(event.value)) for event in board.Scalars(tag)]
    found["checkpoints"] = sorted(path.name for path in complete(run_dir))
    unfinished = [path for path in run_dir.glob("checkpoints/*") if not (path / "progress.json").exists()]
    found["unfinished"] = sorted(path.name for path in [*unfinished, *run_dir.glob("*.partial")])
    last = newest(run_dir)
    found |= {f"{last.name}/{name}": data for name, data in files(last).items() if not name.startswith("replay_")}
    found[f"{last.name}/progress.json"] = progress = _progress(last)
    found[f"{last.name}/replay"] = _replay(last)
    lines = sum(name.startswith("metrics.csv") for name in found)
    if progress["metrics"]["lines"] < lines:  # the report of the last step failed, and was done after the resume
        found["not comparable"] = {f"{last.name}/{name}" for name in ("progress.json", "training.safetensors")}
    return found


def _progress(folder: Path) -> dict:
    """Return progress.json without checksums over columns of time, and without the parts of the replay buffer."""
    progress = json.loads((folder / "progress.json").read_text())
    del progress["checksum"], progress["metrics"]["checksum"], progress["replay"]["ends"]
    del progress["metrics"]["events"]["checksum"]
    progress["files"] = {k: v for k, v in progress["files"].items() if not k.startswith("replay_")}
    return progress


def _replay(folder: Path) -> bytes:
    """Return the replay buffer as one file; how it is cut into parts depends on when the disk was full."""
    found = Manifest.read(folder)
    ring = EpisodeRing(
        read_spec(found), json.loads((folder.parent.parent / "config.json").read_text())["buffer_size"]
    )
    tickets = RingParts.read(found, ring)
    with tempfile.TemporaryDirectory() as place:
        ring.dump(Path(place) / "whole.ring", max(0, tickets - ring.capacity), tickets)
        return (Path(place) / "whole.ring").read_bytes()


def newest(run_dir: Path) -> Path:
    """Return the folder of the checkpoint with the most steps."""
    return max(complete(run_dir), key=lambda folder: int(folder.name.partition("_")[2]))


def complete(run_dir: Path) -> list[Path]:
    """Return the folders of all checkpoints; those without progress.json are none."""
    folders = (run_dir / "checkpoints").glob("step_*")
    return [f for f in folders if f.name.partition("_")[2].isdigit() and (f / "progress.json").exists()]


def differences(expected: dict[str, object], run_dir: Path) -> list[str]:
    """Name what in a finished run is not as expected."""
    found = content(run_dir)
    left_out = found.pop("not comparable", set())
    return [
        f"{name}: {_short(found.get(name))} instead of {_short(expected.get(name))}"
        for name in sorted((expected.keys() | found.keys()) - left_out)
        if found.get(name) != expected.get(name)
    ]


def _short(value: object) -> str:
    if isinstance(value, bytes):
        return f"{len(value)} bytes, {hash(value) & 0xFFFFFF:06x}"
    text = repr(value)
    return text if len(text) < 200 else f"{text[:100]} ... {text[-90:]}"


def again(arguments: list[str], cwd: Path) -> list[str]:
    """Return the arguments that go on with the run in CWD/run, or start it where it has not begun."""
    return ["--resume", "run"] if os.path.exists(cwd / "run" / "config.json") else arguments


def verdict(outcome: harness.Outcome, expected: dict[str, object], run_dir: Path) -> list[str]:
    """Name what differs in a run that should have come to its end."""
    if outcome.code:
        return [f"exit code {outcome.code}: {outcome.stderr[-300:]!r}"]
    return differences(expected, run_dir)


def reference(arguments: list[str], cwd: Path) -> dict[str, object]:
    """Run without a stop, and return the content."""
    outcome = harness.run(arguments, cwd)
    assert outcome.code == 0, outcome
    return content(cwd / "run")


def damaged(run_dir: Path) -> list[str]:
    """Name the complete checkpoints that are not whole."""
    return [path.name for path in complete(run_dir) if not _is_whole(path)]


def _is_whole(folder: Path) -> bool:
    try:
        Manifest.read(folder).verify()
    except ConfigError:
        return False
    return True


def files(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder by their names; none if there is no folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def inodes(folder: Path) -> dict[int, list[str]]:
    """Return the paths of all files below a folder, such as "/config.json", by their inodes."""
    found: dict[int, list[str]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found.setdefault(path.stat().st_ino, []).append(f"/{path.relative_to(folder)}")
    return found
