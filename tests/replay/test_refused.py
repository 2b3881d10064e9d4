"""What a ring, its writers and its samplers refuse, each with a typed error."""

import dataclasses
import threading
import time

import numpy as np
import pytest
import torch
from ring_episodes import SPEC, fill, make_episode, numbers, point, write_numbers

from pyqmix import EpisodeRing
from pyqmix.base.spec import EpisodeSpec
from pyqmix.replay import PrioritisedSampler

IN_USE = "this sampler: another thread is using it; make one for each thread"
FLOATS = EpisodeSpec(n_agents=2, n_actions=3, obs_dim=2, state_dim=4, episode_limit=6)
INT8 = EpisodeSpec(2, 3, 2, 4, 6, obs_storage="int8", state_storage="int8")


def sampler_of(ring, kind):
    return ring.sampler(0) if kind == "uniform" else PrioritisedSampler(ring, 0, 0.6)


@pytest.fixture(params=["uniform", "prioritised"])
def sampler(request):
    ring = EpisodeRing(SPEC, 16)
    write_numbers(ring, 0, 16)
    return sampler_of(ring, request.param)


def test_a_sampler_refuses_a_second_thread_from_beginning_to_end(sampler, monkeypatch):
    state = sampler.state()
    decode, inside, done = sampler._decode, threading.Event(), threading.Event()

    def wait(*arguments):
        inside.set()
        assert done.wait(10)
        return decode(*arguments)

    monkeypatch.setattr(sampler, "_decode", wait)
    batches = []
    thread = threading.Thread(target=lambda: batches.append(sampler.sample(4)))
    thread.start()
    assert inside.wait(10)
    calls = [lambda: sampler.sample(4), sampler.state, lambda: sampler.load_state(state)]
    if isinstance(sampler, PrioritisedSampler):
        calls += [lambda: sampler.learn(torch.ones(4)), lambda: sampler.importance(1.0)]
    for call in calls:
        with pytest.raises(RuntimeError, match=IN_USE):
            call()
    done.set()
    thread.join()
    assert len(batches) == 1
    sampler.load_state(state)
    assert torch.equal(sampler.sample(4).rewards, batches[0].rewards)


@pytest.mark.parametrize("kind", ["uniform", "prioritised"])
def test_threads_on_one_native_sampler_get_errors_and_no_races(kind):
    """Where the interpreter's lock is released, the extension refuses by itself."""
    ring = EpisodeRing(SPEC, 1_000)
    write_numbers(ring, 0, 1_000)
    native, end = sampler_of(ring, kind)._sampler, time.monotonic() + 0.4
    said, counts = set(), np.zeros(2, np.int64)

    def hammer():
        calls = [lambda: native.pin(300), native.release, native.places, native.state]
        calls += [native.drawn] if kind == "prioritised" else []
        while time.monotonic() < end:
            for call in calls:
                try:
                    call()
                    counts[0] += 1
                except RuntimeError as error:
                    said.add(str(error))
                    counts[1] += 1

    threads = [threading.Thread(target=hammer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    native.release()
    assert counts[0] > 0
    assert said <= {
        IN_USE,
        "this sampler already holds a batch",
    }
    assert len(numbers(ring)) == 1_000  # no pin was left behind


BAD = [float("nan"), float("inf"), float("-inf")]


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("spec", [FLOATS, INT8], ids=["float32", "int8"])
def test_values_that_are_not_finite_are_refused_by_their_names(spec, value):
    ring = EpisodeRing(spec, 2)
    writer = ring.writer()
    expected = "expected finite numbers, got" if spec is FLOATS else "-?(nan|inf) cannot be stored exactly as int8"
    for field, name in (("obs", "obs"), ("states", "state")):
        for t in (0, 2):  # of the reset, which begin writes; of a step
            episode = make_episode(spec, 2, 0)
            episode[field][t].flat[-1] = value
            with pytest.raises(ValueError, match=f"{name}: {expected}"), writer.episode() as slot:
                fill(slot, episode)
            with pytest.raises(ValueError, match=f"{name}: {expected}"), writer.episode() as slot:
                slot.write(*episode.values())
    episode = make_episode(spec, 2, 0)
    episode["rewards"][1] = value
    with pytest.raises(ValueError, match="reward: expected a finite number"), writer.episode() as slot:
        fill(slot, episode)
    with pytest.raises(ValueError, match="rewards: expected finite numbers, got"), writer.episode() as slot:
        slot.write(*episode.values())
    assert len(ring) == 0
    assert ring.stats()["aborted"] == 10


def test_a_reward_that_overflows_float32_is_refused():
    ring, episode = EpisodeRing(FLOATS, 2), make_episode(FLOATS, 1, 0)
    actions = episode["actions"][0]
    with ring.writer().episode() as slot:
        slot.begin(*point(episode, 0))
        with pytest.raises(ValueError, match=r"reward: expected .* float32 holds, got 1e\+39"):
            slot.append(actions, 1e39, True, *point(episode, 1))
        slot.append(actions, 3e38, True, *point(episode, 1))
    assert ring.sampler(0).sample(1).rewards.tolist() == [[float(np.float32(3e38))]]


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize(("name", "place"), [("obs", (2, 1, 1)), ("state", (2, 3)), ("rewards", (1,))])
def test_finish_looks_at_what_was_stored_in_the_views(name, place, value):
    ring = EpisodeRing(FLOATS, 2)
    slot = ring.writer().open()
    views = slot.views()
    for view in views.values():
        view[...] = 0
    views[name][place] = value
    with pytest.raises(ValueError, match=f"{name}: expected finite numbers, got"):
        slot.finish(2)
    slot.finish(1)  # which does not reach there
    slot.publish()
    assert len(ring) == 1


def test_tickets_that_were_never_given_are_refused():
    ring = EpisodeRing(SPEC, 4)
    first, writer = ring.reserve(3), ring.writer()
    assert (first, ring.tickets) == (0, 3)
    for ticket in (3, -1, 1 << 64, True, 1.0):
        with pytest.raises(ValueError, match="ticket: expected one of the 3 given so far, got"):
            writer.open(ticket)
    writer.open(2).abort()
    for count in (0, -1, 5, (1 << 64) - 6, True, 2.0):
        with pytest.raises(ValueError, match="count: expected an integer from 1 to the capacity 4, got"):
            ring.reserve(count)
    assert ring.tickets == 3


@pytest.mark.parametrize("capacity", [1 << 40, 1 << 62, 1 << 70])
def test_more_slots_than_memory_has_are_refused_with_their_arithmetic(capacity):
    with pytest.raises(MemoryError, match=rf"replay buffer: {capacity:,} episodes x [\d,]+ bytes = .* MiB"):
        EpisodeRing(SPEC, capacity)


def test_episodes_that_no_slot_holds_are_refused():
    for name, most in (("n_actions", 1 << 16), ("episode_limit", (1 << 31) - 1), ("n_agents", (1 << 31) - 1)):
        sizes = {"n_agents": 2, "n_actions": 3, "obs_dim": 2, "state_dim": 4, "episode_limit": 6}
        EpisodeSpec(**{**sizes, name: most})
        for size in (most + 1, 1 << 70):
            with pytest.raises(ValueError, match=f"{name}: expected at most {most:,}, got {size:,}"):
                EpisodeSpec(**{**sizes, name: size})


def test_snapshots_of_an_unknown_game_are_refused():
    for name in ("chess", "", 1):
        with pytest.raises(ValueError, match=r"snapshot: expected one of None.*, got " + repr(name)):
            dataclasses.replace(FLOATS, snapshot=name)
