"""Payoff tables that QMIX cannot represent: which methods find the best joint action.

The first is of the papers of QTRAN (table 1) and weighted QMIX, the second of QPLEX's matrix games.
"""

import pytest

from pyqmix import train
from pyqmix.config import from_preset

TABLES = {
    "qtran": [[8, -12, -12], [-12, 0, 0], [-12, 0, 0]],
    "qplex": [[8, -12, -12], [-12, 6, 0], [-12, 0, 6]],
}
BEST, SEEDS = 8.0, range(5)


def greedy_return(mixer, table, seed, folder, steps=1_500, **options):
    """The payoff of the greedy joint action after training that explores fully."""
    few = {"eval_every": steps, "checkpoint_every": steps, "log_every": steps, "eval_episodes": 1}
    settings = {"mixer": mixer, "payoff": TABLES[table], "lr": 2e-3, "seed": seed, "total_steps": steps, **few}
    config = from_preset(env="matrix", **settings, run_dir=str(folder), device="cpu", **options)
    return train(config, quiet=True).summary["eval_return_mean"]


def test_ow_qmix_finds_the_best_joint_action_soon(tmp_path):
    assert greedy_return("ow_qmix", "qtran", 0, tmp_path / "run", 300) == BEST


@pytest.mark.slow
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("mixer", ["cw_qmix", "ow_qmix", "qplex", "qtran"])
def test_every_seed_finds_the_best_joint_action(mixer, table, tmp_path):
    returns = [greedy_return(mixer, table, seed, tmp_path / str(seed)) for seed in SEEDS]
    assert returns == [BEST] * len(SEEDS)


@pytest.mark.slow
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("mixer", ["qmix", "vdn", "qatten"])
def test_monotone_methods_miss_it(mixer, table, tmp_path):
    returns = [greedy_return(mixer, table, seed, tmp_path / str(seed)) for seed in SEEDS]
    assert max(returns) < BEST
