"""Episodes as bytes: they arrive whole, once, and where their tickets say, or not at all."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ring_episodes import SPEC, assert_holds, make_episode, numbers, write, write_numbers

import pyqmix
from pyqmix import EpisodeRing
from pyqmix.base.seeding import Stream
from pyqmix.base.spec import EpisodeSpec
from pyqmix.config.networks import network_spec
from pyqmix.nn import make_agent
from pyqmix.play.create import create_rollout
from pyqmix.replay import RingBusyError
from pyqmix.replay.packed import Receiver, pack

SPECS = (
    SPEC,
    EpisodeSpec(n_agents=3, n_actions=300, obs_dim=2, state_dim=6, episode_limit=6, concat_state=True),
    EpisodeSpec(n_agents=1, n_actions=1, obs_dim=1, state_dim=2, episode_limit=6, state_storage="uint8"),
)


def packed_numbers(count, spec=SPEC):
    ring = EpisodeRing(spec, count)
    write_numbers(ring, 0, count)
    return pack(ring, 0, 0, count)


def receiver(ring, first=0, count=4):
    found = Receiver(ring)
    found.expect(first, count)
    return found


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.n_actions} actions")
def test_an_episode_of_every_length_arrives_as_it_was(spec):
    there, here = EpisodeRing(spec, 6), EpisodeRing(replace(spec, episode_limit=9), 6)
    episodes = [make_episode(spec, length, length) for length in range(1, 7)]
    writer = there.writer()
    for episode in episodes:
        write(writer, episode)
    for k in (4, 0, 5, 2, 1, 3):  # in any order
        target = receiver(here, k, 1)
        target.receive(pack(there, k, k, 1))
        assert target.missing() == []
        pinned = here.sampler(0).sample(len(here))
        found = [b for b in range(len(here)) if pinned.lengths[b] == k + 1]
        assert_holds(pinned, found[0], here.spec, episodes[k])


def test_an_episode_lies_where_its_ticket_says():
    here, there = EpisodeRing(SPEC, 4), EpisodeRing(SPEC, 4)
    write_numbers(there, 0, 4)
    packed = [pack(there, k, k, 1) for k in range(4)]
    target = receiver(here)
    for k in (2, 0):
        target.receive(packed[k])
    assert numbers(here) == [0, 2]
    assert target.missing() == [1, 3]
    target.receive(np.concatenate([packed[3], packed[1]]))
    assert torch.equal(here.sampler(0).sample(4).rewards, there.sampler(0).sample(4).rewards)


def test_a_short_episode_is_short():
    there = EpisodeRing(SPEC, 2)
    writer = there.writer()
    write(writer, make_episode(SPEC, 1, 0))
    write(writer, make_episode(SPEC, 6, 0))
    assert len(pack(there, 0, 0, 1)) < len(pack(there, 1, 0, 1))


def test_snapshots_arrive_as_they_were():
    config = pyqmix.from_preset(env="smax", task="2s3z")
    world = config.create_env()
    agent = make_agent(network_spec(world.spec, config))
    there, here = EpisodeRing(world.spec, 16), EpisodeRing(world.spec, 16)
    assert world.spec.snapshot == "smax"
    for ring in (there, here):
        create_rollout(config, agent, 3, Stream.ENVIRONMENT, 1, ring).play(0, 8, 1.0)
    sent = EpisodeRing(world.spec, 16)
    receiver(sent, 0, 8).receive(pack(there, 0, 0, 8))
    ours, theirs = sent.sampler(0).sample(8), here.sampler(0).sample(8)
    assert torch.equal(ours.lengths, theirs.lengths)
    assert torch.equal(ours.obs, theirs.obs)
    assert torch.equal(ours.rewards, theirs.rewards)


def test_an_episode_that_comes_twice_is_refused():
    here, packed = EpisodeRing(SPEC, 8), packed_numbers(4)
    target = receiver(here)
    target.receive(packed)
    with pytest.raises(ValueError, match="expected each episode once, got 0 again"):
        target.receive(packed)
    target.expect(0, 4)
    with pytest.raises(ValueError, match="expected each episode once, got 0 again"):
        target.receive(np.concatenate([packed, packed]))
    assert target.missing() == [0, 1, 2, 3]
    assert here.stats()["published"] == 4


@pytest.mark.parametrize(
    ("first", "said"), [(1, "expected episodes from 1 to 4, got 0"), (9, "expected episodes from 9 to 12, got 0")]
)
def test_an_episode_of_another_round_is_refused(first, said):
    here = EpisodeRing(SPEC, 8)
    with pytest.raises(ValueError, match=said):
        receiver(here, first).receive(packed_numbers(4))
    assert here.stats()["published"] == 0


def test_nothing_is_received_before_it_is_expected():
    with pytest.raises(ValueError, match="expected episodes from"):
        Receiver(EpisodeRing(SPEC, 4)).receive(packed_numbers(1))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (replace(SPEC, n_agents=3), "episodes of the ring's sizes"),
        (replace(SPEC, obs_storage="float32"), "episodes of the ring's sizes"),
        (replace(SPEC, episode_limit=2), "expected 1 to 2 steps, got 3"),
    ],
)
def test_episodes_of_other_sizes_are_refused(spec, said):
    with pytest.raises(ValueError, match=said):
        receiver(EpisodeRing(spec, 8)).receive(packed_numbers(1))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_episodes_are_refused_whole(data):
    here, packed = EpisodeRing(SPEC, 8), packed_numbers(3)
    target = receiver(here)
    damaged = packed.copy()
    if data.draw(st.booleans(), "cut"):
        damaged = packed[: data.draw(st.integers(1, len(packed) - 1).filter(lambda n: n % (len(packed) // 3)))]
    else:
        damaged[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError, match="packed episodes: expected"):
        target.receive(damaged)
    assert here.stats()["published"] == 0
    target.receive(packed)
    assert numbers(here) == [0, 1, 2]


def test_a_ring_without_a_free_slot_says_so():
    here = EpisodeRing(SPEC, 1)
    target = receiver(here, 0, 1)
    slot = here.writer().open()
    with pytest.raises(RingBusyError, match="no slot of the ring is free"):
        target.receive(packed_numbers(1))
    slot.abort()


def test_a_slot_without_an_episode_cannot_be_packed():
    with pytest.raises(RuntimeError, match="its slot holds no published episode"):
        pack(EpisodeRing(SPEC, 2), 0, 0, 1)


def test_other_arrays_are_refused():
    target = receiver(EpisodeRing(SPEC, 8))
    for packed in (packed_numbers(2)[::2], packed_numbers(1).astype(np.int16), packed_numbers(2).reshape(2, -1)):
        with pytest.raises(ValueError, match="packed: expected"):
            target.receive(packed)
