"""The ring beside a deque that does the same in an obvious way, driven at random."""

import os
from collections import deque

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule
from ring_episodes import SPEC, fill, number_episode

from pyqmix import EpisodeRing
from pyqmix.replay import EpisodeBatch, RingBusyError

EXAMPLES = int(os.environ.get("PYQMIX_RING_EXAMPLES", "100"))
STEPS = int(os.environ.get("PYQMIX_RING_STEPS", "30"))
PREPARED = [number_episode(number, length=1) for number in range(STEPS + 1)]


class RingBesideDeque(RuleBasedStateMachine):
    """Slots in the order of their tickets: None where nothing is published, "open", or a number."""

    open_slots = Bundle("open_slots")

    @initialize(capacity=st.integers(1, 5), shared=st.booleans())
    def make(self, capacity, shared):
        self.ring = EpisodeRing(SPEC, capacity, shared)
        self.sampler = self.ring.sampler(0)
        self.slots = deque([None] * capacity)  # the next ticket's slot first
        self.counts = dict.fromkeys(("published", "overwritten", "aborted", "revoked", "busy"), 0)
        self.number = 0

    @rule(target=open_slots)
    def claim(self):
        writer = self.ring.writer()
        if all(slot is not None and slot[0] == "open" for slot in self.slots):
            self.counts["busy"] += 1
            with pytest.raises(RingBusyError):
                writer.open()
            return None  # a whole lap of tickets: the next one's slot is the same
        while self.slots[0] is not None and self.slots[0][0] == "open":
            self.slots.rotate(-1)
        self.counts["overwritten"] += self.slots[0] is not None
        self.slots[0] = place = ["open", None]
        self.slots.rotate(-1)
        return writer.open(), writer, place

    @rule(opened=consumes(open_slots))
    def publish(self, opened):
        if opened is None:
            return
        slot, _, place = opened
        fill(slot, PREPARED[self.number])
        slot.publish()
        place[:] = ["ready", self.number]
        self.number += 1
        self.counts["published"] += 1

    @rule(opened=consumes(open_slots))
    def abort(self, opened):
        if opened is None:
            return
        slot, _, place = opened
        slot.abort()
        self.slots[self.index(place)] = None
        self.counts["aborted"] += 1

    @rule(batch_size=st.integers(1, 6))
    def sample(self, batch_size):
        held = self.published()
        if batch_size > len(held):
            with pytest.raises(ValueError, match=f"the ring holds {len(held)} episodes, {batch_size} were"):
                self.sampler.sample(batch_size)
            return
        drawn = self.sampler.sample(batch_size).rewards[:, 0].int().tolist()
        assert len(set(drawn)) == batch_size
        assert set(drawn) <= set(held)

    @invariant()
    def holds_what_the_deque_holds(self):
        if not hasattr(self, "ring"):
            return
        held = self.published()
        assert len(self.ring) == len(held)
        assert self.ring.stats() == self.counts
        if held:
            drawn = self.sampler.sample(len(held)).rewards[:, 0].int().tolist()
            assert sorted(drawn) == sorted(held)

    def published(self):
        return [slot[1] for slot in self.slots if slot is not None and slot[0] == "ready"]

    def index(self, place):
        return next(k for k, slot in enumerate(self.slots) if slot is place)


RingBesideDeque.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None)
TestRingBesideDeque = RingBesideDeque.TestCase


def chi_square_while_evicting(rounds, favour=None):
    """Draw 8 of 32 slots again and again, a slot overwritten before each draw; count by the slot's age."""
    ring = EpisodeRing(SPEC, 32)
    writer, sampler = ring.writer(), ring.sampler(5)
    out = EpisodeBatch.empty(SPEC, 8)
    counts = np.zeros(32, np.int64)
    prepared = [number_episode(number, length=1) for number in range(64)]
    for number in range(32):
        with writer.episode() as slot:
            fill(slot, prepared[number])
    for number in range(32, 32 + rounds):
        with writer.episode() as slot:
            fill(slot, prepared[number % 64])
        drawn = sampler.sample(8, out=out).rewards[:, 0].numpy().astype(np.int64)
        ages = (number - drawn) % 64
        if favour is not None:
            ages[0] = favour
        np.add.at(counts, ages, 1)
    expected = rounds * 8 / 32
    # Without replacement the counts vary less than a multinomial's by (32 - 8) / (32 - 1).
    return ((counts - expected) ** 2 / expected).sum() / (24 / 31)


def test_sampling_is_uniform_while_evicting():
    critical = 61.1  # chi-square, 31 degrees, p = 0.001
    rounds = int(os.environ.get("PYQMIX_RING_DRAWS", "80000")) // 8
    assert chi_square_while_evicting(rounds) < critical


def test_the_check_of_uniformity_sees_a_favourite():
    assert chi_square_while_evicting(2_000, favour=3) > 61.1
