"""Runs with random weights, whose networks are exported."""

import pytest
import torch
from run_files import save_networks

from pyqmix.learn.learner import Learner


@pytest.fixture(autouse=True)
def _same_weights():
    """Draw the same weights in every order of the tests."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def stored_run(tiny_config, tmp_path_factory):
    """Make the folder of a run with a checkpoint of random weights, and return it with its learner."""

    def make(steps=10, **options):
        folder = tmp_path_factory.mktemp("runs")
        config = tiny_config(run_dir=str(folder), **options)
        (folder / "config.json").write_text(config.to_json())
        env = config.create_env()
        learner = Learner(env.spec, config)
        env.close()
        with torch.no_grad():
            learner.flat.block.mul_(4.0)  # so that actions differ from step to step
        save_networks(folder, learner, steps)
        return folder, learner

    return make
