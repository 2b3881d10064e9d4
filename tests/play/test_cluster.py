"""Episodes on a Ray cluster: the same as without it, whoever plays them and whoever dies."""

import json
import os
import signal
import time

import pytest
import torch
from ray_nodes import RayNodes

from pyqmix import Config, ConfigError, EnvError, EpisodeRing, from_preset, train
from pyqmix.base.seeding import Stream, episode_seed
from pyqmix.learn.learner import Learner
from pyqmix.play.cluster.orders import Span
from pyqmix.play.cluster.training import PlayOnCluster
from pyqmix.play.training import PlayInTurn
from pyqmix.run import checkpoint
from pyqmix.run.metrics import read_metrics

pytestmark = pytest.mark.slow
pytest.importorskip("ray")
WALK = {"env": "gymnasium", "task": "worker_envs:Walk-v0", "hidden_dim": 8, "num_envs": 6}


@pytest.fixture(scope="module")
def nodes():
    with RayNodes() as made:
        yield made


@pytest.fixture
def on_ray(nodes):
    def make(config, **options):
        more = {"num_workers": 2, "ray_address": nodes.address, **options}
        return config.replace(rollout="ray", **more)

    return make


def wait_for_all(cluster):
    while cluster.pool.ready < len(cluster.pool._seats):
        cluster.pool._listen()


@pytest.fixture
def said():
    """What the user is told."""
    return []


@pytest.fixture
def player(on_ray, said):
    """Make what plays a config's episodes on the cluster, with the networks and the ring."""
    made = []

    def make(config, **options):
        spec = config.create_env().spec
        learner, ring = Learner(spec, config), EpisodeRing(spec, 64)
        made.append(PlayOnCluster(on_ray(config, **options), spec, learner.agent, ring, said.append))
        wait_for_all(made[-1])
        return made[-1], learner, ring

    yield make
    for each in made:
        each.close()


def without_clock(folder):
    """The lines of metrics.csv without what depends on time, or on where episodes are played."""
    apart = ("wall_seconds", "env_steps_per_second", "staleness")
    return [{k: v for k, v in vars(m).items() if k not in apart} for m in read_metrics(folder)]


def same(one, other):
    return torch.equal(one.learner.flat.block, other.learner.flat.block) and without_clock(
        one.run_dir
    ) == without_clock(other.run_dir)


RUNS = {
    "native": from_preset(
        env="lbf", total_steps=4_000, num_envs=8, eval_every=2_000, eval_episodes=10, eps_steps=2_000
    ),
    "native, recurrent": from_preset(env="lbf", total_steps=4_000, num_envs=3, agent="gru", eps_start=0.3),
    "snapshots": Config(env="smax", task="2s3z", total_steps=1_000, num_envs=4, batch_size=8, eval_episodes=4),
    "python": Config(**WALK, total_steps=1_500, batch_size=8, target_update=20, eval_every=500, eps_steps=1_000),
}


@pytest.mark.parametrize("config", RUNS.values(), ids=RUNS)
def test_a_run_on_a_cluster_is_the_run_without_it(config, on_ray, tmp_path):
    at_home = train(config.replace(run_dir=str(tmp_path / "home")), quiet=True)
    away = train(on_ray(config, run_dir=str(tmp_path / "away")), quiet=True)
    assert at_home.summary["updates"] > 10
    assert same(at_home, away)
    assert read_metrics(away.run_dir)[-1].staleness == 0
    assert away.summary["rollout"]["players"] in (1, 2)  # the second may start after a run as short as this one
    assert "rollout" not in at_home.summary


def test_the_number_of_players_does_not_matter_for_rounds_ahead_either(on_ray, tmp_path):
    runs = [
        train(on_ray(RUNS["native"], num_workers=k, max_staleness=3, run_dir=str(tmp_path / str(k))), quiet=True)
        for k in (1, 2)
    ]
    assert same(*runs)
    lines = read_metrics(runs[0].run_dir)
    assert lines[-1].staleness == 3  # as many rounds of training as were allowed
    assert not same(train(on_ray(RUNS["native"], run_dir=str(tmp_path / "in turn")), quiet=True), runs[0])


@pytest.mark.parametrize("max_staleness", [0, 1, 3])
def test_episodes_were_played_with_the_weights_of_the_rounds_before(player, max_staleness):
    config = Config(**WALK)
    cluster, learner, ring = player(config, max_staleness=max_staleness)
    at_home = EpisodeRing(ring.spec, 64)
    weights, staleness = [learner.flat.block.detach().clone()], []
    for k in range(8):
        staleness.append(int(cluster.play(6 * k, 6, 0.2).staleness[0]))
        cluster.start(6 * (k + 1), 6, 0.2)
        with torch.no_grad():
            learner.flat.block.add_(torch.randn_like(learner.flat.block))
        weights.append(learner.flat.block.detach().clone())
    assert staleness == [0, *range(1, max_staleness), *[max_staleness] * (8 - max(1, max_staleness))][:8]
    alone = PlayInTurn(config, learner.agent, at_home)
    for k in range(8):
        with torch.no_grad():
            learner.flat.block.copy_(weights[k - staleness[k]])
        alone.play(6 * k, 6, 0.2)
    ours, theirs = ring.sampler(0).sample(48), at_home.sampler(0).sample(48)
    assert torch.equal(ours.obs, theirs.obs)
    assert torch.equal(ours.actions, theirs.actions)


def test_a_slow_learner_stops_the_players(player):
    cluster, _, _ = player(Config(**WALK), max_staleness=2)
    cluster.play(0, 6, 1.0)
    cluster.start(6, 6, 1.0)
    cluster.start(6, 6, 1.0)  # another round of training, whose episodes nobody has asked for
    cluster.settle()
    assert [each.first for each in cluster.kept()] == [6, 12]


def oldest_checkpoint(result):
    return min(steps for steps, _ in checkpoint.folders(result.run_dir))


def test_a_resumed_run_has_the_rounds_that_were_ahead(on_ray, tmp_path):
    config = on_ray(RUNS["native"], max_staleness=3, checkpoint_every=1_000, run_dir=str(tmp_path / "run"))
    whole = train(config, quiet=True)
    resumed = train(config, resume=True, checkpoint=oldest_checkpoint(whole), quiet=True)
    assert torch.equal(whole.learner.flat.block, resumed.learner.flat.block)
    assert read_metrics(resumed.run_dir)[-1].staleness == 3


def test_a_run_goes_on_without_the_cluster(on_ray, tmp_path):
    config = RUNS["native"].replace(checkpoint_every=1_000, run_dir=str(tmp_path / "run"))
    whole = train(on_ray(config), quiet=True)
    at_home = train(config, resume=True, checkpoint=oldest_checkpoint(whole), quiet=True)
    assert torch.equal(whole.learner.flat.block, at_home.learner.flat.block)


def faulty(fault, tmp_path, always=False, **options):
    marker = None if always else str(tmp_path / "marker")
    args = {"fault": fault, "seed": episode_seed(0, Stream.ENVIRONMENT, 7, wide=False), "marker": marker}
    return Config(**{**WALK, "env_args": args, **options})


@pytest.mark.parametrize("fault", ["kill", "hang", "hold the GIL"])
def test_a_player_that_dies_loses_no_episode(player, said, tmp_path, fault):
    config = faulty(fault, tmp_path, step_timeout=1.0)
    cluster, learner, ring = player(config)
    at_home = EpisodeRing(ring.spec, 64)
    alone = PlayInTurn(Config(**WALK), learner.agent, at_home)
    for k in range(0, 18, 6):
        ours, theirs = cluster.play(k, 6, 0.3), alone.play(k, 6, 0.3)
        assert ours.returns.tolist() == theirs.returns.tolist()
    assert (tmp_path / "marker").exists()
    assert [line.partition(" died: ")[2] for line in said if " died: " in line] == ["its 3 episodes go to others"]
    assert cluster.report()["player_deaths"] == 1
    assert cluster.report()["episodes_reassigned"] == 3
    assert ring.stats()["published"] == 18
    assert torch.equal(ring.sampler(0).sample(18).obs, at_home.sampler(0).sample(18).obs)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("kill", "died 3 times, the last time because of this: "), ("hang", "has taken step_timeout = 1 s")],
)
def test_an_environment_that_always_kills_its_player_is_named(player, tmp_path, fault, reason):
    config = faulty(fault, tmp_path, always=True, step_timeout=1.0)
    cluster, _, _ = player(config, num_workers=1, max_staleness=1)  # the episodes 9 to 11 wait for the player, too
    cluster.play(0, 6, 0.3)
    with pytest.raises(EnvError, match=reason) as raised:
        cluster.play(6, 6, 0.3)
    assert str(raised.value).startswith("environment worker_envs:Walk-v0, episodes 6 to 8: ")


def test_an_environment_whose_constructor_hangs_is_named(player):
    with pytest.raises(EnvError, match=r"while it is built: .*its constructor has taken step_timeout = 0.2 s"):
        player(Config(**{**WALK, "step_timeout": 0.2, "env_args": {"fault": "build", "builder": os.getpid()}}))


def test_what_an_environment_raises_arrives_with_its_traceback(player, tmp_path):
    cluster, _, _ = player(faulty("raise", tmp_path, always=True))
    with pytest.raises(EnvError, match=r"episode 7, step 1: step raised RuntimeError: the simulator") as raised:
        cluster.play(6, 6, 0.3)
    assert "_fail" in str(raised.value.__cause__)


def test_an_environment_that_cannot_be_built_there_is_refused(player, tmp_path):
    config = Config(**WALK)
    with pytest.raises((ConfigError, EnvError), match="surprise"):
        player(config, env_args={"surprise": 1})


def test_a_node_that_dies_loses_no_episode(nodes, on_ray, tmp_path):
    config = RUNS["python"].replace(total_steps=6_000)
    at_home = train(config.replace(run_dir=str(tmp_path / "home")), quiet=True)
    spec = config.create_env().spec
    learner, ring = Learner(spec, config), EpisodeRing(spec, 1_000)
    cluster = PlayOnCluster(on_ray(config, max_staleness=4), spec, learner.agent, ring, print)
    wait_for_all(cluster)
    for k in range(60):
        if k == 20:
            nodes.kill()
        cluster.play(6 * k, 6, 0.5)
        cluster.start(6 * (k + 1), 6, 0.5)
    cluster.close()
    nodes.add()
    assert cluster.pool.deaths >= 1
    assert ring.stats()["published"] == 360
    assert at_home.summary["updates"] > 0


def test_signals_end_a_run_with_a_checkpoint(nodes, command, tmp_path):
    options = ["--env", "lbf", "--num-envs", "8", "--rollout", "ray", "--num-workers", "2", "--run-dir", "run"]
    started = command("pyqmix-train", *options, "--ray-address", nodes.address, "--max-staleness", "2")
    while not (tmp_path / "run/metrics.csv").exists():
        time.sleep(0.1)
    time.sleep(1.0)
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=60)
    assert started.returncode == 130
    assert "Traceback" not in said
    state = json.loads((checkpoint.find(tmp_path / "run") / "progress.json").read_text())
    assert len(state["ahead"]) == 2


def test_a_native_run_goes_on_and_is_evaluated_by_commands(nodes, run_command):
    options = ["--env", "lbf", "--num-envs", "2", "--total-steps", "300", "--rollout", "ray", "--num-workers", "2"]
    first = run_command("pyqmix-train", *options, "--ray-address", nodes.address, "--run-dir", "run")
    assert first.code == 0, first.stderr
    assert f"starts 2 players on Ray, --ray-address {nodes.address}" in first.stdout
    assert run_command("pyqmix-eval", "run", "--episodes", "2").code == 0
    again = run_command("pyqmix-train", "--resume", "run", "--total-steps", "600")
    assert again.code == 0, again.stderr
    local = run_command(
        "pyqmix-train", "--resume", "run", "--total-steps", "900", "--rollout", "local", "--num-workers", "0"
    )
    assert local.code == 0, local.stderr


def test_spans_are_named_and_split():
    assert [str(span) for span in Span(3, 5).parts(2)] == ["episodes 3 to 4", "episodes 5 to 6", "episode 7"]
