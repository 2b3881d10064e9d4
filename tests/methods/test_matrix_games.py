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
SMALL = {"central_dim": 64, "alpha": 0.1}
FINDS = {
    "cw_qmix": (800, {**SMALL, "alpha": 0.01}),  # at 0.1 one seed of five keeps a joint action worth 6
    "ow_qmix": (800, SMALL),
    "qplex": (1_200, None),
    "qtran": (800, None),
}


def greedy_return(mixer, table, seed, folder, steps, arguments=None):
    """The payoff of the greedy joint action after training that explores fully."""
    few = {"eval_every": steps, "checkpoint_every": steps, "log_every": steps, "eval_episodes": 1}
    settings = {"mixer": mixer, "mixer_args": arguments, "payoff": TABLES[table], "lr": 3e-3, "seed": seed}
    config = from_preset(env="matrix", **settings, **few, total_steps=steps, run_dir=str(folder), device="cpu")
    return train(config, quiet=True).summary["eval_return_mean"]


def test_ow_qmix_finds_the_best_joint_action_soon(tmp_path):
    assert greedy_return("ow_qmix", "qtran", 0, tmp_path / "run", 300, SMALL) == BEST


@pytest.mark.slow
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("mixer", FINDS)
def test_every_seed_finds_the_best_joint_action(mixer, table, tmp_path):
    returns = [greedy_return(mixer, table, seed, tmp_path / str(seed), *FINDS[mixer]) for seed in SEEDS]
    assert returns == [BEST] * len(SEEDS)


@pytest.mark.slow
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("mixer", ["qmix", "vdn", "qatten"])
def test_monotone_methods_miss_it(mixer, table, tmp_path):
    returns = [greedy_return(mixer, table, seed, tmp_path / str(seed), 500) for seed in SEEDS]
    assert max(returns) < BEST
