"""Checkpoints that somebody may send, with checksums of their own: they are used, or a typed error tells why not.

``PYQMIX_FUZZ=1000 pytest -m slow tests/run/test_checkpoint_fuzz.py`` tries more of them.
"""

import json
import os
import random
import shutil
from contextlib import suppress

import pytest
import torch
from config_fuzz import NAMES, NUMBERS, OTHERS
from run_files import forge, seal

from pyqmix import Config, ConfigError, load_policy, train
from pyqmix.base.errors import DivergenceError
from pyqmix.run import checkpoint, manifest
from pyqmix.run.evaluate import evaluate_run

EXAMPLES = int(os.environ.get("PYQMIX_FUZZ", "60"))
TENSORS = (checkpoint.WEIGHTS, checkpoint.OPTIMIZER, checkpoint.TRAINING)


def places(value, path=()):
    """All places in a JSON value."""
    yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        yield from places(entry, (*path, key))


def change_state(draw, folder):
    """Put another value, or none, into a place of progress.json."""
    state = json.loads((folder / manifest.NAME).read_text())
    *above, last = draw.choice([path for path in places(state) if path and path[0] not in ("version", "checksum")])
    inside = state
    for key in above:
        inside = inside[key]
    if draw.random() < 0.2:
        del inside[last]
    else:
        inside[last] = draw.choice(draw.choice((NAMES, NUMBERS, NUMBERS, OTHERS)))
    seal(folder, state)
    return f"{above} {last}: {inside.get(last) if isinstance(inside, dict) else inside}"


def change_tensors(draw, folder):
    """Change the kind, shape, values or name of a tensor."""
    told = []

    def change(tensors):
        name = draw.choice(sorted(tensors))
        value = tensors.pop(name)
        kind = draw.randrange(8)
        told.append(f"{name}: {kind}")
        match kind:
            case 0:
                tensors[name] = torch.full_like(value, 1) if draw.random() < 0.5 else value.reshape(-1)[:0]
            case 1:
                tensors[name] = value.reshape(-1).repeat(2)
            case 2:
                tensors[name] = value.to(draw.choice([torch.bfloat16, torch.float64, torch.int64, torch.bool]))
            case 3 if value.is_floating_point():
                tensors[name] = torch.full_like(value, draw.choice([float("nan"), float("inf"), -1.0, 1e38]))
            case 3 | 4:
                tensors[name] = torch.full_like(value, draw.choice([0, 1]))
            case 5:
                tensors[draw.choice(NAMES[:-1]).replace("\0", "")] = value
            case 6:
                tensors[name] = value[None]
            case 7 if not value.is_floating_point() and value.dtype != torch.bool:
                tensors[name] = torch.full_like(value, torch.iinfo(value.dtype).max)
        return tensors

    file = draw.choice([each for each in TENSORS if (folder / each).exists()])
    forge(folder, file, change)
    return f"{file} {told}"


@pytest.mark.timeout(3_600)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
def test_a_checkpoint_is_used_or_refused(tiny_config, tmp_path):
    of_run = tmp_path / "run"
    config = tiny_config(run_dir=str(of_run), total_steps=100, checkpoint_every=50, prioritised=True)
    train(config.replace(total_steps=60), quiet=True)
    kept = shutil.copytree(of_run, tmp_path / "kept")
    refused, escaped = 0, []
    for number in range(EXAMPLES):
        draw = random.Random(number)
        shutil.rmtree(of_run)
        shutil.copytree(kept, of_run)
        change = draw.choice((change_state, change_tensors))(draw, checkpoint.find(of_run))
        try:
            for use in (
                lambda: load_policy(of_run),
                lambda: evaluate_run(of_run, 1, 0),
                lambda: train(
                    Config.from_json(of_run / "config.json").replace(total_steps=70), resume=True, quiet=True
                ),
            ):
                with suppress(ConfigError, MemoryError, DivergenceError):
                    use()
                    continue
                refused += 1
        except Exception as error:
            escaped.append(f"{change}: {type(error).__name__}: {error}")
    assert escaped == []
    assert refused > EXAMPLES / 3
