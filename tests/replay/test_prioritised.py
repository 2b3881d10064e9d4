"""Prioritised sampling: proportions, importance weights, and whose priority it is."""

import dataclasses
import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_episodes import make_batch, make_learner
from ring_episodes import SPEC, number_episode, numbers, write, write_numbers

from pyqmix import EpisodeRing, train
from pyqmix.learn.learner import Learner
from pyqmix.learn.rows import StepRows
from pyqmix.learn.step import episode_errors
from pyqmix.replay import EpisodeBatch, PrioritisedSampler

# 99.9 % of the chi-square distribution with 11 degrees of freedom lie below.
CHI_SQUARE_11 = 31.26


def ring_of(count, capacity=None):
    """A ring of episodes whose rewards are their numbers: 0, 1, ..."""
    ring = EpisodeRing(SPEC, capacity or count)
    write_numbers(ring, 0, count)
    return ring


def drawn(sampler, batch_size):
    """Numbers of the episodes of a batch."""
    return sampler.sample(batch_size).rewards[:, 0].long()


def teach(sampler, errors):
    """Draw until every episode has had its error taken in: errors[number]."""
    taught = set()
    while len(taught) < len(errors):
        batch = drawn(sampler, len(errors))
        sampler.learn(torch.as_tensor(errors)[batch])
        taught |= set(batch.tolist())
    for _ in range(2):  # errors count from the draw after the next
        sampler.learn(torch.as_tensor(errors)[drawn(sampler, len(errors))])
    drawn(sampler, 1)


def probabilities_of(errors, alpha):
    priorities = (np.asarray(errors) + 1e-6) ** alpha
    return priorities / priorities.sum()


ERRORS = np.array([0.1, 3.0, 0.0, 1.0, 0.5, 2.0, 0.7, 0.05, 1.5, 0.3, 0.9, 4.0])


@pytest.mark.parametrize("batch_size", [1, 5])
@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0])
def test_episodes_are_drawn_in_proportion_to_their_priorities(alpha, batch_size):
    sampler = PrioritisedSampler(ring_of(12), 0, alpha)
    teach(sampler, ERRORS)
    draws = 24_000
    counts = sum(np.bincount(drawn(sampler, batch_size), minlength=12) for _ in range(draws // batch_size))
    expected = draws * probabilities_of(ERRORS, alpha)
    often = expected > 5  # all but the episode without error, where alpha is above 0
    chi_square = ((counts - expected)[often] ** 2 / expected[often]).sum()
    assert chi_square < CHI_SQUARE_11
    assert counts[~often].sum() <= 5


def test_a_batch_takes_one_draw_from_each_share():
    sampler = PrioritisedSampler(ring_of(12), 0, 1.0)
    teach(sampler, ERRORS)
    expected = 50 * probabilities_of(ERRORS, 1.0)
    for _ in range(200):
        counts = np.bincount(drawn(sampler, 50), minlength=12)
        assert (counts > expected - 2).all()
        assert (counts < expected + 2).all()


@settings(max_examples=40, deadline=None)
@given(errors=st.lists(st.floats(0, 1e6), min_size=1, max_size=40), alpha=st.floats(0, 1), spare=st.integers(0, 9))
def test_probabilities_and_importance_weights_are_those_of_the_formulas(errors, alpha, spare):
    sampler = PrioritisedSampler(ring_of(len(errors), len(errors) + spare), 1, alpha)
    errors = np.array(errors)
    sampler._prioritised.pin(1)  # it knows the episodes now
    sampler._prioritised.release()
    places = np.array([(slot, 1) for slot in range(len(errors))])
    sampler._prioritised.set_errors(places, errors)
    batch = drawn(sampler, 32).numpy()
    probabilities = probabilities_of(errors, alpha)[batch]
    np.testing.assert_allclose(sampler._probabilities, probabilities, rtol=1e-9)
    for beta in (0.0, 0.4, 1.0):
        weights = (len(errors) * probabilities) ** -beta
        np.testing.assert_allclose(sampler.importance(beta), weights / weights.max(), rtol=1e-6)


def test_errors_count_from_the_draw_after_the_next():
    sampler = PrioritisedSampler(ring_of(2), 0, 1.0)
    errors = torch.tensor([0.0, 1.0])
    for _ in range(2):
        sampler.learn(errors[drawn(sampler, 8)])
        assert sampler._probabilities.tolist() == [0.5] * 8
    assert drawn(sampler, 8).tolist() == [1] * 8


def test_a_new_episode_has_the_largest_priority_of_all_so_far():
    ring = ring_of(3, capacity=4)
    sampler = PrioritisedSampler(ring, 0, 1.0)
    teach(sampler, np.array([0.5, 8.0, 0.25]))
    write(ring.writer(), number_episode(3))
    batch = drawn(sampler, 200).numpy()
    probability = 8 / (0.5 + 8 + 0.25 + 8)
    np.testing.assert_allclose(sampler._probabilities[batch == 3], probability, rtol=1e-5)
    assert abs((batch == 3).sum() - 200 * probability) < 2


def test_an_overwritten_episode_takes_its_priority_with_it():
    ring = ring_of(2)
    sampler = PrioritisedSampler(ring, 0, 1.0)
    teach(sampler, np.array([1.0, 0.01]))
    assert (drawn(sampler, 100) == 1).sum() < 4
    writer = ring.writer()
    write(writer, number_episode(2))  # in the place of 0
    write(writer, number_episode(3))  # in that of 1, which was rarely drawn
    batch = drawn(sampler, 100)
    assert sampler._probabilities.tolist() == [0.5] * 100
    assert sorted(set(batch.tolist())) == [2, 3]


def test_errors_of_an_episode_that_is_gone_are_not_its_successors():
    ring = ring_of(2)
    sampler = PrioritisedSampler(ring, 0, 1.0)
    sampler.learn(torch.where(drawn(sampler, 8) == 0, 0.0, 1.0))
    write(ring.writer(), number_episode(2))  # in the place of 0
    sampler.learn(torch.ones(len(drawn(sampler, 8))))
    for _ in range(2):
        assert set(drawn(sampler, 8).tolist()) == {1, 2}


def test_an_error_that_is_no_number_leaves_the_priority_and_an_infinite_one_is_the_largest():
    sampler = PrioritisedSampler(ring_of(3), 0, 1.0)
    nan, inf = float("nan"), float("inf")
    for errors, priorities in (
        ([0.5, 2.0, 4.0], [0.5, 2.0, 4.0]),
        ([nan, 1.0, 4.0], [0.5, 1.0, 4.0]),
        ([inf, 1.0, nan], [4.0, 1.0, 4.0]),
    ):
        teach(sampler, np.array(errors))
        batch = drawn(sampler, 100)
        expected = np.array(priorities) / sum(priorities)
        np.testing.assert_allclose(sampler._probabilities, expected[batch], rtol=1e-5)


def test_only_published_episodes_are_drawn_however_large_the_batch():
    ring = EpisodeRing(SPEC, 8)
    sampler = PrioritisedSampler(ring, 0, 0.6)
    with pytest.raises(ValueError, match="the ring holds 0 episodes, 1 were asked for"):
        sampler.sample(1)
    write_numbers(ring, 5, 1)
    assert ring.writer().open() is not None
    out = EpisodeBatch.empty(SPEC, 6)
    assert sampler.sample(6, out).rewards[:, 0].tolist() == [5.0] * 6
    assert numbers(ring) == [5]


def test_a_slot_that_is_none_of_the_rings_is_refused():
    sampler = PrioritisedSampler(ring_of(3), 0, 0.6)
    with pytest.raises(ValueError, match="places: slot 3 is none of the ring's"):
        sampler._prioritised.set_errors(np.array([(3, 1)]), np.ones(1))
    with pytest.raises(ValueError, match="places: expected"):
        sampler._prioritised.set_errors(np.zeros((2, 2), np.int64), np.ones(3))


def test_writers_may_go_on_meanwhile():
    ring, stop = EpisodeRing(SPEC, 24), threading.Event()
    write_numbers(ring, 0, 8)

    def write_on(first):
        writer, number = ring.writer(), first
        while not stop.is_set():
            write(writer, number_episode(number, length=1 + number % 6))
            number += 2

    threads = [threading.Thread(target=write_on, args=(first,)) for first in (8, 9)]
    for thread in threads:
        thread.start()
    sampler, seen = PrioritisedSampler(ring, 0, 0.6), set()
    try:
        for _ in range(300):
            batch = sampler.sample(8)
            number = batch.rewards[:, 0]
            whole = number.unsqueeze(1).expand_as(batch.rewards)
            assert torch.equal(batch.rewards, torch.where(batch.mask, whole, 0.0))
            sampler.learn(1 / (1 + number))
            seen |= set(number.tolist())
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert len(seen) > 24
    write_numbers(ring, 0, 48)
    assert len(ring) == 24  # no pin was left behind


@pytest.mark.parametrize(
    "options", [{}, {"mixer": "vdn"}, {"mixer": "iql", "agent": "gru"}, {"backend": "reference"}]
)
def test_importance_weighs_each_episodes_own_loss(options):
    learner, lengths = make_learner(**options), (4, 1, 3)
    alone = []
    for b, length in enumerate(lengths):
        batch = make_batch(lengths)
        parts = {name: value[b : b + 1] for name, value in batch.tensors().items()}
        for name in ("obs", "avail", "states"):
            parts[name] = parts[name][:, : length + 1]
        for name in ("actions", "rewards", "terminated"):
            parts[name] = parts[name][:, :length]
        alone.append(learner.loss(EpisodeBatch(**parts))[0])
    weights = torch.tensor([0.25, 1.0, 0.5])
    loss = learner.loss(make_batch(lengths), weights)[0]
    torch.testing.assert_close(loss, sum(w * own for w, own in zip(weights, alone, strict=True)) / 3)
    assert not torch.isclose(loss, learner.loss(make_batch(lengths))[0])
    loss.backward()


def test_importance_weighs_transitions_too():
    learner, lengths = make_learner(loss="transitions"), (4, 1, 3)
    batch, weights = make_batch(lengths), torch.tensor([0.25, 1.0, 0.5])
    loss, q, target = learner.loss(batch, weights)
    of_step = weights[StepRows.by_length(batch).episodes]
    torch.testing.assert_close(loss, (of_step * (target - q) ** 2).mean())


@pytest.mark.parametrize("mixer", ["qmix", "iql"])
def test_an_update_reports_each_episodes_mean_absolute_error(mixer):
    learner, batch = make_learner(mixer=mixer), make_batch((2, 5, 1))
    _, q, target = learner.loss(batch)
    packed = StepRows.by_length(batch)
    expected = []
    for episode in range(3):
        rows = packed.episodes == episode
        expected.append((target[rows] - q[rows]).abs().mean())
    torch.testing.assert_close(episode_errors(packed, q, target, (3, 5)), torch.stack(expected))
    steps = torch.tensor([0, 3, 0])  # the third comes twice, the third episode not at all
    where = {"episodes": torch.tensor([0, 1, 0]), "times": torch.tensor([1, 2, 1])}
    some = dataclasses.replace(packed, **where, real=packed.real[steps])
    errors = episode_errors(some, q[steps], target[steps], (3, 5))
    assert errors.isnan().tolist() == [False, False, True]
    torch.testing.assert_close(errors[:2], (target - q).abs().reshape(len(q), -1).mean(1)[steps[:2]])
    assert learner.update(batch).episode_errors is None
    learner = make_learner(mixer=mixer)
    _, q, target = learner.loss(batch)
    errors = learner.update(batch, torch.ones(3)).episode_errors
    torch.testing.assert_close(errors, episode_errors(packed, q, target, (3, 5)))


def parameters(tiny_config, folder, **options):
    config = tiny_config(run_dir=str(folder), lr=0.01, eps_start=0.5, **options)
    return [p.tolist() for p in train(config, quiet=True).learner.parameters]


def test_runs_repeat_themselves_and_every_option_does_something(tiny_config, tmp_path):
    """Each option changes what is learned, from the draw on that it concerns."""
    options = [
        {"prioritised": False},
        {"prioritised": True},
        {"prioritised": True, "per_alpha": 0.0},
        {"prioritised": True, "per_beta": 1.0},
        {"prioritised": True, "per_beta_steps": 50},
        {"prioritised": True, "overlap": True},
    ]
    learned = [parameters(tiny_config, tmp_path / str(k), **o) for k, o in enumerate(options)]
    assert len({str(p) for p in learned}) == len(options)
    assert parameters(tiny_config, tmp_path / "again", **options[1]) == learned[1]
    assert parameters(tiny_config, tmp_path / "overlapped again", **options[-1]) == learned[-1]


def test_a_run_draws_by_the_errors_of_its_training_steps(tiny_config, tmp_path, monkeypatch):
    """Training steps report their errors, which become the priorities of the very episodes."""
    update, sample = Learner.update, PrioritisedSampler.sample
    known, checked, waiting, latest = {}, [], [], [None]

    def remember(self, batch, importance=None):
        stats = update(self, batch, importance)
        waiting.append((latest[0], stats.episode_errors.tolist()))
        return stats

    def check(self, batch_size, out=None, room=None):
        while len(waiting) > 1:
            places, errors = waiting.pop(0)
            known.update(zip(map(tuple, places.tolist()), errors, strict=True))
        batch = sample(self, batch_size, out, room)
        latest[0] = self._places
        total = None
        for place, probability in zip(map(tuple, self._places.tolist()), self._probabilities, strict=True):
            if place in known:  # P(i) / p_i is the same for all
                ratio = probability / (known[place] + 1e-6) ** 0.7
                assert ratio == pytest.approx(total or ratio, rel=1e-5)
                total = ratio
                checked.append(place)
        return batch

    monkeypatch.setattr(Learner, "update", remember)
    monkeypatch.setattr(PrioritisedSampler, "sample", check)
    parameters(tiny_config, tmp_path / "run", prioritised=True, per_alpha=0.7)
    assert len(checked) > 500
