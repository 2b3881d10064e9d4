"""Payoff tables that QMIX cannot represent: which methods find the best joint action.

The first is of the papers of QTRAN (table 1) and weighted QMIX, the second of QPLEX's matrix games.
"""

import itertools

import pytest
import torch

from pyqmix import train
from pyqmix.config import from_preset
from pyqmix.methods import QPLEX
from pyqmix.methods.greedy import of_actions

TABLES = {
    "qtran": [[8, -12, -12], [-12, 0, 0], [-12, 0, 0]],
    "qplex": [[8, -12, -12], [-12, 6, 0], [-12, 0, 6]],
}
BEST, SEEDS = 8.0, range(5)
ARGUMENTS = {  # at alpha 0.1 one or two seeds of five keep another joint action of the second table
    "cw_qmix": {"central_dim": 64, "alpha": 0.01},
    "ow_qmix": {"central_dim": 64, "alpha": 0.01},
    "qtran": None,
}


def trained(mixer, table, seed, folder, steps, lr=3e-3):
    """Train with full exploration."""
    few = {"eval_every": steps, "checkpoint_every": steps, "log_every": steps, "eval_episodes": 1}
    settings = {"mixer": mixer, "mixer_args": ARGUMENTS.get(mixer), "payoff": TABLES[table], "lr": lr}
    config = from_preset(
        env="matrix", **settings, **few, seed=seed, total_steps=steps, run_dir=str(folder), device="cpu"
    )
    return train(config, quiet=True)


def test_ow_qmix_finds_the_best_joint_action_soon(tmp_path):
    assert trained("ow_qmix", "qtran", 0, tmp_path / "run", 300).summary["eval_return_mean"] == BEST


def test_qplex_represents_a_payoff_table_that_is_not_monotone():
    """Its importance weights are fitted alone, to agents that prefer the best joint action: V_tot = 8."""
    torch.manual_seed(0)
    mixer = QPLEX(2, 1, 3, n_heads=6, attention_layers=2, attention_dim=16)
    with torch.no_grad():
        for transform, constant in ((mixer.transform_w, 1.0), (mixer.transform_b, 3.0)):
            transform[-1].weight.zero_()
            transform[-1].bias.fill_(constant)
    actions = torch.tensor(list(itertools.product(range(3), repeat=2)))
    qs, states = torch.tensor([[1.0, 0.0, 0.1], [1.0, 0.1, 0.0]]).expand(9, 2, 3), torch.ones(9, 1)
    payoffs = torch.tensor(TABLES["qplex"]).float().flatten()
    of_weights = [mixer.keys, mixer.of_agents, mixer.of_actions]
    optimizer = torch.optim.Adam([p for net in of_weights for p in net.parameters()], lr=0.03)
    for _ in range(300):
        error = mixer(of_actions(qs, actions), qs.amax(-1), states, actions) - payoffs
        optimizer.zero_grad()
        error.square().mean().backward()
        optimizer.step()
    assert error.abs().max() < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("mixer", ARGUMENTS)
def test_every_seed_finds_the_best_joint_action(mixer, table, tmp_path):
    runs = [trained(mixer, table, seed, tmp_path / str(seed), 800) for seed in SEEDS]
    assert [run.summary["eval_return_mean"] for run in runs] == [BEST] * len(SEEDS)


@pytest.mark.slow
def test_qplex_finds_it_at_a_low_learning_rate(tmp_path):
    """At 2e-3, the weights of its transformation may shrink to zero before those of importance are learned."""
    runs = [trained("qplex", "qtran", seed, tmp_path / str(seed), 3_000, 5e-4) for seed in SEEDS]
    assert [run.summary["eval_return_mean"] for run in runs] == [BEST] * len(SEEDS)


@pytest.mark.slow
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(("mixer", "most"), [("qmix", 2), ("vdn", 0), ("qatten", 0)])
def test_monotone_methods_miss_it(mixer, most, table, tmp_path):
    """QMIX now and then settles on it at the cost of the other payoffs; measured: one seed of five."""
    runs = [trained(mixer, table, seed, tmp_path / str(seed), 800 if mixer == "qmix" else 500) for seed in SEEDS]
    assert [run.summary["eval_return_mean"] for run in runs].count(BEST) <= most
