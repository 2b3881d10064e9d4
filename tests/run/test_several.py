"""Several learners of one run, as threads: they give one run, which goes on to the same bits and fails as one."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from own_parts import Meeting
from rank_threads import in_step, train_in_step
from run_files import metrics, results

from pyqmix import Config, ConfigError, EnvError, train
from pyqmix.base.errors import RankError
from pyqmix.play.episodes import Played
from pyqmix.play.evaluator import Evaluator
from pyqmix.run import checkpoint
from pyqmix.run.evaluate import load_agent
from pyqmix.run.interrupt import Interrupt, Interrupted
from pyqmix.run.several import make_learners

FORAGING = {"env": "lbf", "task": "Foraging-5x5-2p-1f-v3", "num_envs": 4, "eval_episodes": 5, "eps_end": 0.1}


@pytest.fixture
def together(monkeypatch):
    """Train with several learners; returns their results, or raises the first one's error."""

    def make(config, count=2, **options):
        found = train_in_step(monkeypatch, count, lambda: train(config, quiet=True, **options))
        for error in found:
            if isinstance(error, BaseException):
                raise error
        return found

    return make


def followers(folder):
    """Checkpoints of the second learner, and the tensors of its last one."""
    second = folder / "learners/1"
    last = checkpoint.find(second)
    return [steps for steps, _ in checkpoint.folders(second)], {
        path.name: path.read_bytes() for path in last.glob("*.safetensors")
    }


def test_the_episodes_are_those_of_a_single_learner(tiny_config, tmp_path, together):
    options = {**FORAGING, "num_envs": 6, "batch_size": 54, "buffer_size": 66, "total_steps": 1500}
    train(tiny_config(run_dir=str(tmp_path / "one"), **options), quiet=True)
    together(tiny_config(run_dir=str(tmp_path / "three"), **options), count=3)
    assert metrics(tmp_path / "three") == metrics(tmp_path / "one")
    assert {line["updates"] for line in metrics(tmp_path / "one")} == {"0"}
    assert len({line["train_return"] for line in metrics(tmp_path / "one")}) > 3


def test_evaluations_are_those_of_a_single_learner(tiny_config, tmp_path, together):
    config = tiny_config(run_dir=str(tmp_path / "run"), **FORAGING)
    together(config)
    lines = [line for line in metrics(tmp_path / "run") if line["eval_return_mean"]]
    assert int(lines[-1]["updates"]) > 0
    evaluator = Evaluator(config, load_agent(tmp_path / "run")[1], config.seed)
    evaluator.skip(5 * (len(lines) - 1))
    assert str(evaluator.evaluate(5).mean) == lines[-1]["eval_return_mean"]
    evaluator.close()


@pytest.mark.slow
def test_all_learners_have_the_same_weights_and_counters(tiny_config, tmp_path, together):
    first, second = together(tiny_config(run_dir=str(tmp_path / "run"), **FORAGING))
    assert torch.equal(first.learner.flat.block, second.learner.flat.block)
    assert first.summary["learners"] == 2
    clock = ("wall_seconds", "env_steps_per_second")
    assert {k: v for k, v in first.summary.items() if k not in clock} == {
        k: v for k, v in second.summary.items() if k not in clock
    }
    shards = [(tmp_path / name / "checkpoints").glob("*/replay_0.ring") for name in ("run", "run/learners/1")]
    assert {path.read_bytes() for path in shards[0]}.isdisjoint(path.read_bytes() for path in shards[1])
    assert not (tmp_path / "run/learners/1/metrics.csv").exists()


@pytest.mark.parametrize(
    "options",
    [pytest.param({}, marks=pytest.mark.slow), {"overlap": True, "loss": "transitions"}],
    ids=["in turn", "overlap"],
)
def test_a_resumed_run_gives_the_same_bits(tiny_config, tmp_path, together, options):
    whole = tmp_path / "whole"
    config = tiny_config(
        run_dir=str(whole),
        **{**FORAGING, "checkpoint_every": 60, "keep_checkpoints": 9, "total_steps": 900, **options},
    )
    together(config)
    copy = shutil.copytree(whole, tmp_path / "copy")
    steps = sorted(number for number, _ in checkpoint.folders(copy))
    assert len(steps) > 3
    for number in steps[3:]:
        shutil.rmtree(copy / f"checkpoints/step_{number}")
    for number in steps[2:]:  # the second learner was killed before its third checkpoint
        shutil.rmtree(copy / f"learners/1/checkpoints/step_{number}")
    together(config.replace(run_dir=str(copy)), resume=True)
    assert results(copy) == results(whole)
    assert followers(copy) == followers(whole)


@pytest.mark.slow
def test_another_number_of_learners_is_refused(tiny_config, tmp_path, together):
    two, one = (tiny_config(run_dir=str(tmp_path / name), num_envs=4) for name in ("two", "one"))
    together(two)
    train(one, quiet=True)
    with pytest.raises(ConfigError, match=r"keeps its number of learners.*expected 2, got 1"):
        train(two, resume=True, quiet=True)
    with pytest.raises(ConfigError, match="expected 1, got 2"):
        together(one, resume=True)
    shutil.rmtree(tmp_path / "two/learners/1/checkpoints")
    with pytest.raises(ConfigError, match="none that all 2 learners have"):
        together(two, resume=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_envs": 3}, "num_envs: expected a multiple of the 2 learners, got 3"),
        ({"num_envs": 2, "batch_size": 7}, "batch_size: expected a multiple"),
        ({"num_envs": 2, "buffer_size": 63}, "buffer_size: expected a multiple"),
        ({"num_envs": 2, "num_workers": 1}, "num_workers: expected a multiple"),
        ({"num_envs": 2, "eval_episodes": 1}, "eval_episodes: expected at least one for each of the 2"),
        ({"num_envs": 2, "prioritised": True}, "prioritised: expected False with 2 learners"),
        ({"num_envs": 2, "standardise_rewards": "masked"}, "standardise_rewards: expected off with"),
        ({"num_envs": 2, "batch_transitions": 8}, "batch_transitions: expected None with"),
        ({"num_envs": 2, "num_workers": 2, "rollout": "ray"}, "rollout: expected local with 2"),
        ({"num_envs": 2, "env": "gymnasium", "task": "Nonsense-v0"}, "Nonsense"),  # once the folders are there
    ],
)
def test_what_cannot_be_divided_is_refused(tiny_config, tmp_path, together, options, message):
    with pytest.raises(ConfigError, match=message):
        together(tiny_config(run_dir=str(tmp_path / "run"), **options))
    assert not (tmp_path / "run").exists()


class Fragile(Meeting):
    """Fails in the reset of one seed."""

    seeds, broken = (), True

    def reset(self, *, seed=None, options=None):
        Fragile.seeds = (*Fragile.seeds, seed)
        if Fragile.broken and len(Fragile.seeds) > 100:
            Fragile.broken = False
            raise RuntimeError("the connection is lost")
        return super().reset(seed=seed, options=options)


@pytest.mark.slow
def test_an_environment_that_fails_ends_all_learners_at_one_step(tiny_config, tmp_path, monkeypatch):
    monkeypatch.setattr(Fragile, "seeds", ())
    monkeypatch.setattr(Fragile, "broken", True)
    config = tiny_config(run_dir=str(tmp_path / "run"), num_envs=4, total_steps=3000, checkpoint_every=10_000)
    errors = train_in_step(monkeypatch, 2, lambda: train(config, env=Fragile, quiet=True))
    assert {type(error) for error in errors} == {EnvError, RankError}
    (other,) = (error for error in errors if isinstance(error, RankError))
    assert "failed; its own message says why" in str(other)
    (mine,), (theirs,) = (checkpoint.folders(tmp_path / name) for name in ("run", "run/learners/1"))
    assert mine[0] == theirs[0] > 0
    first, second = train_in_step(monkeypatch, 2, lambda: train(config, env=Fragile, resume=True, quiet=True))
    assert first.summary["total_steps"] == second.summary["total_steps"] >= 3000


def learners_of(ranks, **options):
    config = Config(env="two_step", num_envs=4, **options)
    interrupt = Interrupt(quiet=True)
    return make_learners(config, ranks, interrupt), interrupt


def played(mine):
    return Played(np.arange(mine.start, mine.stop, dtype=np.float64), np.array([10 + k for k in mine]), None)


def test_results_come_in_the_order_of_the_episodes():
    def run(ranks):
        return learners_of(ranks)[0].play(played, 7)

    for found in in_step(2, run):
        assert found.returns.tolist() == list(range(7))
        assert found.lengths.tolist() == list(range(10, 17))
        assert found.won is None


def test_a_signal_to_one_learner_stops_all_after_the_round():
    def run(ranks):
        learners, interrupt = learners_of(ranks)
        before = learners.play(played, 4).steps, learners.stop
        if ranks.rank == 1:
            interrupt.hear(143)
        stopped_early = learners.stop
        learners.play(played, 4)
        return before, stopped_early, learners.stop, interrupt.seen, interrupt.exit_code

    assert in_step(2, run) == [((46, False), False, True, True, 143)] * 2


def test_a_second_signal_interrupts_all():
    def run(ranks):
        learners, interrupt = learners_of(ranks)

        def play(mine):
            if ranks.rank == 1:
                interrupt.hear(130)
                raise Interrupted(130)
            return played(mine)

        with pytest.raises(Interrupted) as caught:
            learners.play(play, 4)
        return caught.value.exit_code, learners.agree_on(caught.value), learners.agree_on(OSError())

    assert in_step(2, run) == [(130, True, False)] * 2


@pytest.mark.parametrize("rank", [0, 1])
def test_a_failure_reaches_all_in_the_wait_for_episodes_that_are_played_ahead(rank):
    def run(ranks):
        def wait():
            if ranks.rank == rank:
                raise EnvError("it fell over")

        learners_of(ranks, overlap=True)[0].wait(wait)

    errors = in_step(2, run)
    assert [type(error) for error in errors] == [EnvError if k == rank else RankError for k in (0, 1)]
    assert f"learner {rank} of 2 failed" in str(errors[1 - rank])


@pytest.mark.parametrize("change", ["weights", "update"])
def test_learners_that_have_come_apart_are_named(change):
    class Norm(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("mean", torch.zeros(3))

    def run(ranks):
        block = torch.nn.Parameter(torch.arange(4.0))
        learner = SimpleNamespace(flat=SimpleNamespace(block=block), updates=3, agent=Norm(), mixer=Norm())
        learners, _ = learners_of(ranks)
        learners.meet(learner, 1200)
        if ranks.rank == 2:
            learner.updates += change == "update"
            learner.mixer.mean[1] = float(change == "weights")
        learners.meet(learner, 1300)

    errors = in_step(4, run)
    for error in errors:
        assert isinstance(error, RankError)
        assert f"learner 2 has come apart from learner 0 by step 1,300: expected {change}" in str(error).replace(
            "checksum of ", ""
        )
