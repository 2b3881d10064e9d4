"""The training steps of several learners, each with a part of the batch, equal those of one with all of it."""

import dataclasses

import pytest
import torch
from graphs_stand_in import Graphs
from own_parts import CellAgent
from random_episodes import SPEC, make_batch, make_learner
from rank_threads import in_step
from user_networks import NormAgent, PartlyLearned

from pyqmix import Config, ConfigError
from pyqmix.base.ranks import ALONE, Ranks
from pyqmix.learn.graph_step import GraphStep
from pyqmix.learn.learner import Learner
from pyqmix.learn.native_step import NativeStep
from pyqmix.nn.flat import TAIL

OPTIONS = [
    {},
    {"loss": "transitions"},
    {"agent": "gru", "double_q": True},
    {"mixer": "vdn", "loss": "transitions", "agent": "gru"},
    {"mixer": "iql", "n_step": 3, "optimizer": "rmsprop"},
    {"td_lambda": 0.6, "loss": "transitions", "double_q": True},
    {"mixer": "qtran", "backend": "reference", "target_tau": 0.3, "grad_clip": 0.05},
]
LENGTHS = [(4, 1, 3, 6), (1, 2, 6, 5), (3, 3, 1, 1)]


def named(options):
    return "-".join(f"{k}={v}" for k, v in options.items()) or "defaults"


def part(batch, share):
    """Those of a batch's episodes that a rank has."""
    mine = {name: tensor[share.start : share.stop] for name, tensor in batch.tensors().items()}
    return dataclasses.replace(batch, **mine).up_to(int(mine["lengths"].max()))


def twin(learner, ranks):
    """A learner with the weights of another one, as one of several."""
    made = Learner(SPEC, learner.config, dtype=torch.float64, ranks=ranks)
    with torch.no_grad():
        made.flat.block.copy_(learner.flat.block)
        made.target_flat.block.copy_(learner.target_flat.block)
    return made


def learn(learner):
    """The weights and numbers of a learner after each update on its part of each batch."""
    seen = []
    for seed, lengths in enumerate(LENGTHS):
        batch = make_batch(lengths, seed)
        stats = learner.update(part(batch, learner.ranks.share(len(lengths))))
        seen.append((learner.flat.block.detach().clone(), stats.scalars.clone()))
    return seen


def require_equal(single, count):
    """Require the same weights and numbers of one learner and of several; return the latter's learners."""
    made = []

    def run(ranks):
        made.append(twin(single, ranks))
        return learn(made[-1])

    everyones = in_step(count, run)
    for error in everyones:
        if isinstance(error, BaseException):
            raise error
    expected = learn(twin(single, ALONE))
    for theirs in everyones:
        torch.testing.assert_close(theirs, expected, rtol=1e-9, atol=1e-12)
        assert all(torch.equal(a, b) for a, b in zip(sum(theirs, ()), sum(everyones[0], ()), strict=True))
    return made


@pytest.mark.parametrize("options", OPTIONS, ids=named)
def test_weights_and_numbers_equal_those_of_one_learner(options):
    require_equal(make_learner(lr=3e-3, target_update=2, **options), count=2)


def test_four_learners_with_one_episode_each_do_so_by_one_collective_a_step():
    learners = require_equal(make_learner(loss="transitions"), count=4)
    assert [learner.ranks.sums for learner in learners] == [len(LENGTHS)] * 4
    assert all(isinstance(learner.step, NativeStep) for learner in learners)


@pytest.mark.parametrize("loss", ["episodes", "transitions"])
def test_networks_of_a_user_do_so(loss):
    config = Config(hidden_dim=8, loss=loss, lr=3e-3).with_own(agent=CellAgent, mixer=PartlyLearned)
    require_equal(Learner(SPEC, config, dtype=torch.float64), count=2)


@pytest.mark.parametrize("loss", ["episodes", "transitions"])
def test_a_captured_step_ends_before_the_collective(loss):
    single, batch = make_learner(loss=loss), make_batch(LENGTHS[0])

    def run(ranks):
        learner, graphs = twin(single, ranks), Graphs(scalars=TAIL)
        learner.step = GraphStep(learner.networks, learner.config, SPEC, graphs)
        mine = part(batch, ranks.share(len(batch.lengths)))
        numbers = [learner.update(mine).scalars for _ in range(6)]
        return learner.flat.block.detach(), torch.stack(numbers), graphs.captured, graphs.replayed, ranks.sums

    both, alone = in_step(2, run), twin(single, ALONE)
    numbers = torch.stack([alone.update(batch).scalars for _ in range(6)])
    for block, theirs, *counts in both:
        torch.testing.assert_close(block, alone.flat.block.detach(), rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(theirs, numbers, rtol=1e-9, atol=1e-12)
        assert counts == [1, 3, 6]


class Two(Ranks):
    count = 2


def test_batch_normalisation_is_refused():
    config = Config().with_own(agent=NormAgent)
    with pytest.raises(ConfigError, match="agent: expected no batch normalisation with 2 learners"):
        Learner(SPEC, config, ranks=Two())
    Learner(SPEC, config)


def test_each_learner_draws_dropout_of_its_own():
    learner = Learner(SPEC, Config().with_own(agent=NormAgent))

    def draw(rank):
        with learner.networks.learning(0, 3, rank):
            return torch.rand(4).tolist()

    assert draw(1) == draw(1) != draw(0)
