"""Runs with random weights, whose networks are exported."""

import pytest
import torch
from run_files import untrained_run


@pytest.fixture(autouse=True)
def _same_weights():
    """Draw the same weights in every order of the tests."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def stored_run(tiny_config, tmp_path_factory):
    """Make the folder of a run with a checkpoint of random weights, and return it with its learner."""

    def make(steps=10, **options):
        folder = tmp_path_factory.mktemp("runs")
        return folder, untrained_run(tiny_config(run_dir=str(folder), **options), times=4.0, steps=steps)

    return make
