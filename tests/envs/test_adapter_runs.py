"""A short training run in an environment of each library."""

import pytest
from gymnasium_envs import Uneven

import pyqmix


def train(tmp_path, own=None, quiet=True, **options):
    """Train for some three episodes and return the summary."""
    config = pyqmix.Config(
        run_dir=str(tmp_path / "run"),
        batch_size=2,
        buffer_size=20,
        hidden_dim=8,
        embed_dim=4,
        hypernet_dim=4,
        eval_episodes=1,
        **{"num_envs": 1, **options},
    )
    return pyqmix.train(config, own, quiet=quiet).summary


LBF = {"task": "Foraging-5x5-2p-1f-v3", "episode_limit": 10, "total_steps": 30}
SPREAD = {"task": "mpe2.simple_spread_v3", "total_steps": 75, "agent": "gru"}
SPEAKER = {"task": "mpe2.simple_speaker_listener_v4", "total_steps": 50}
REFERENCE = {"task": "mpe2.simple_reference_v3", "total_steps": 50, "last_action": True}
KNIGHTS = {
    "task": "butterfly.knights_archers_zombies_v11",
    "env_args": {"max_cycles": 20, "spawn_delay": 1},
    "total_steps": 40,
}
DYING = {"task": "pettingzoo_envs:Dying", "env_args": {"masks": "info"}, "total_steps": 12}
SKIRMISH = {"task": "smac_envs:SeededSkirmish", "total_steps": 30}
KITCHEN = {"episode_limit": 20, "total_steps": 60}
WAREHOUSE = {"env_args": {"max_steps": 20}, "total_steps": 60}


@pytest.mark.parametrize(
    ("package", "env", "options"),
    [
        pytest.param("lbforaging", "gymnasium", LBF, marks=pytest.mark.slow),
        ("mpe2", "pettingzoo", SPREAD),
        pytest.param("mpe2", "pettingzoo", SPEAKER, marks=pytest.mark.slow),
        pytest.param("mpe2", "pettingzoo", REFERENCE, marks=pytest.mark.slow),
        pytest.param("pygame", "pettingzoo", KNIGHTS, marks=pytest.mark.slow),
        ("pettingzoo", "pettingzoo", DYING),
        ("numpy", "smac", SKIRMISH),
        ("overcooked_ai_py", "overcooked", KITCHEN),
        ("rware", "rware", WAREHOUSE),
    ],
)
def test_training(tmp_path, package, env, options):
    pytest.importorskip(package)
    summary = train(tmp_path, env=env, **options)
    assert summary["updates"] > 0
    assert summary["eval_episodes"] >= 1


def test_training_in_a_users_environment_says_what_it_does_not_use(tmp_path, capsys):
    summary = train(tmp_path, make, quiet=False, total_steps=9)
    assert summary["updates"] > 0
    assert "info also holds 'score', which is not used" in capsys.readouterr().out


def make(length=3):
    env = Uneven("info", length, extra={"score": 1})
    env.max_steps = 5
    return env


@pytest.mark.slow
@pytest.mark.parametrize(("env", "options"), [("pettingzoo", SPREAD), ("rware", WAREHOUSE)])
def test_workers_play_the_same_episodes(tmp_path, env, options):
    pytest.importorskip("mpe2")
    pytest.importorskip("rware")
    results = []
    for workers in (0, 2):
        (tmp_path / str(workers)).mkdir()
        summary = train(tmp_path / str(workers), env=env, num_workers=workers, **{**options, "num_envs": 2})
        results.append([summary[key] for key in ("total_steps", "updates", "eval_return_mean")])
    assert results[0] == results[1]
