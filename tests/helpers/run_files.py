"""Reads the folders of runs, compares what does not depend on the clock, and forges checkpoints."""

import csv
import json
from pathlib import Path

import torch
from safetensors.torch import save
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pyqmix.learn.learner import Learner
from pyqmix.run import checkpoint, manifest, state
from pyqmix.run.draft import Draft

OF_THE_CLOCK = ("env_steps_per_second", "wall_seconds")


def metrics(folder):
    """The lines of metrics.csv without the columns of time."""
    with (folder / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k not in OF_THE_CLOCK} for row in csv.DictReader(file)]


def scalars(folder):
    """TensorBoard's values by tag, without those of time."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
        if tag not in OF_THE_CLOCK
    }


def summary(folder):
    """summary.json without times."""
    values = json.loads((folder / "summary.json").read_text())
    return {k: v for k, v in values.items() if k not in OF_THE_CLOCK}


def checkpoint_files(folder):
    """The content of all files of checkpoints; of progress.json without the checksum of metrics.csv's times."""
    files = {path.relative_to(folder): path.read_bytes() for path in folder.glob("checkpoints/*/*")}
    return {name: _without_clock(data) if name.suffix == ".json" else data for name, data in files.items()}


def results(folder):
    """All results of a run that do not depend on the clock, nor on how its replay buffer lies in files."""
    last = checkpoint.find(folder)
    tensors = {path.name: path.read_bytes() for path in last.glob("*.safetensors")}
    return metrics(folder), scalars(folder), summary(folder), last.name, tensors


def options_of(folder):
    """The options in config.json, without their checksum, so that they can be changed."""
    options = json.loads((folder / "config.json").read_text())
    options.pop("checksum", None)
    return options


def save_networks(folder, learner, steps):
    """Write a checkpoint that has the networks alone."""
    (folder / checkpoint.FOLDER).mkdir()
    draft = Draft(folder / f"{checkpoint.FOLDER}/step_{steps}")
    state.write_networks(draft, state.Progress(steps=steps), learner, {})
    draft.commit()


def forge(folder, file, change):
    """Change tensors of a checkpoint, and its checksums with them."""
    data = save(change(manifest.Manifest.read(folder).tensors(file)))
    (folder / file).write_bytes(data)
    content = json.loads((folder / manifest.NAME).read_text())
    content["files"][file] = manifest.entry_of(data)
    seal(folder, content)


def seal(folder, content):
    """Write a checkpoint's progress.json with the checksum of its content."""
    content.pop("checksum")
    (folder / manifest.NAME).write_bytes(manifest.pack(content))


def _without_clock(data):
    values = json.loads(data)
    values.pop("checksum")
    if "metrics" in values:
        del values["metrics"]["checksum"], values["metrics"]["events"]["checksum"]
    return values


def untrained_run(config, times, steps=10):
    """Make the run folder of a config with a checkpoint of random weights; return its learner.

    The weights are ``times`` as large as initial ones, so that actions differ from step to step.
    """
    folder = Path(config.run_dir)
    (folder / "config.json").write_text(config.to_json())
    env = config.create_env()
    learner = Learner(env.spec, config)
    env.close()
    with torch.no_grad():
        learner.flat.block.mul_(times)
    save_networks(folder, learner, steps)
    return learner
