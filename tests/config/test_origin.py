"""A run says which preset its options come from."""

import pytest

from pyqmix import Config, from_preset, train
from pyqmix.config.origin import nearest_preset, origin

HINT = "; the command line and from_preset(env='lbf') start from preset lbf"


@pytest.mark.parametrize(
    ("config", "line"),
    [
        (Config(env="lbf", seed=4), f"options: the algorithm's defaults{HINT}"),
        (Config(env="lbf", lr=0.1), f"options: the algorithm's defaults, but lr=0.1{HINT}"),
        (from_preset(env="lbf", total_steps=1_000), "options: preset lbf"),
        (from_preset(env="lbf").replace(total_steps=1_000), "options: preset lbf"),
        (from_preset("lbf", eps_steps="20%"), "options: preset lbf, but eps_steps=20%"),
        (from_preset("lbf-fast", num_envs=8), "options: preset lbf-fast, but num_envs=8"),
        (Config(env="two_step"), "options: the algorithm's defaults"),
        (
            Config(env="matrix", payoff=[[1, 2], [3, 4]]),
            "options: the algorithm's defaults, but payoff=[[1, 2], [3, 4]]",
        ),
        (from_preset("climb"), "options: preset climb"),
    ],
)
def test_origin(config, line):
    assert origin(config) == line


def test_the_nearest_preset_is_found():
    found = nearest_preset(from_preset("lbf-fast", env="lbf", seed=4, lr=0.5))
    assert (found.preset, found.changes) == ("lbf-fast", {"lr": (3e-3, 0.5)})


def test_many_changes_are_counted():
    changed = {
        "lr": 0.1,
        "gamma": 0.5,
        "hidden_dim": 8,
        "embed_dim": 8,
        "batch_size": 4,
        "n_step": 2,
        "double_q": True,
    }
    line = origin(Config(env="two_step", **changed))
    assert line.count("=") == 6
    assert line.endswith(" and 1 more")


def test_a_run_says_it_at_its_start(tmp_path, capsys):
    few = {"total_steps": 40, "batch_size": 4, "buffer_size": 64, "eval_episodes": 2, "eps_steps": 20}
    train(Config(env="lbf", run_dir=str(tmp_path / "run"), **few))
    assert capsys.readouterr().out.startswith("options: the algorithm's defaults, but batch_size=4, ")
