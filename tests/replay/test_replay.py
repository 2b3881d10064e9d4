"""The ring of episodes."""

import dataclasses
import gc
import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ring_episodes import SPEC, assert_holds, fill, make_episode, number_episode, numbers, point, write

from pyqmix.base.spec import EpisodeSpec
from pyqmix.replay import EpisodeBatch, EpisodeRing, RingBusyError, describe_memory, ring_bytes


@settings(max_examples=50, deadline=None)
@given(
    n_agents=st.integers(1, 4),
    n_actions=st.sampled_from([1, 7, 8, 9, 256, 257, 1000]),
    obs_dim=st.integers(1, 9),
    state_dim=st.none() | st.integers(1, 9),
    storage=st.sampled_from(["int8", "uint8", "int16", "float32"]),
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=5),
)
def test_what_is_written_is_what_is_sampled(n_agents, n_actions, obs_dim, state_dim, storage, lengths):
    spec = EpisodeSpec(
        n_agents=n_agents,
        n_actions=n_actions,
        obs_dim=obs_dim,
        state_dim=n_agents * obs_dim if state_dim is None else state_dim,
        episode_limit=6,
        concat_state=state_dim is None,
        obs_storage=storage,
        state_storage=storage,
    )
    ring = EpisodeRing(spec, capacity=5)
    writer = ring.writer()
    episodes = [make_episode(spec, length, seed) for seed, length in enumerate(lengths)]
    for episode in episodes:
        write(writer, episode)
    batch = ring.sampler(seed=0).sample(len(lengths))
    assert batch.actions.shape[1] == max(lengths)
    by_reward = {float(episode["rewards"][0]): episode for episode in episodes}
    for b in range(len(lengths)):
        assert_holds(batch, b, spec, by_reward.pop(float(batch.rewards[b, 0])))
    assert not by_reward


def test_mask_marks_the_real_steps():
    ring = EpisodeRing(SPEC, 4)
    writer = ring.writer()
    for seed, length in enumerate((2, 5)):
        write(writer, make_episode(SPEC, length, seed))
    batch = ring.sampler(0).sample(2)
    assert sorted(batch.mask.sum(1).tolist()) == [2, 5]
    assert all(batch.mask[b, : batch.lengths[b]].all() for b in range(2))


def test_a_full_ring_overwrites_the_oldest():
    ring = EpisodeRing(SPEC, 3)
    writer = ring.writer()
    episodes = [make_episode(SPEC, 1, seed) for seed in range(5)]
    for count, episode in enumerate(episodes, start=1):
        write(writer, episode)
        assert len(ring) == min(count, 3)
    kept = sorted(ring.sampler(0).sample(3).rewards[:, 0].tolist())
    assert kept == sorted(float(e["rewards"][0]) for e in episodes[2:])
    assert ring.stats() == {"published": 5, "overwritten": 2, "aborted": 0, "revoked": 0, "busy": 0}


def test_an_unfinished_episode_is_never_sampled():
    ring = EpisodeRing(SPEC, 3)
    one, other = ring.writer(), ring.writer()
    write(one, make_episode(SPEC, 2, 0))
    slot = other.open()
    fill(slot, make_episode(SPEC, 3, 1))
    assert len(ring) == 1
    sampler = ring.sampler(0)
    assert [int(sampler.sample(1).lengths[0]) for _ in range(20)] == [2] * 20
    with pytest.raises(ValueError, match="the ring holds 1 episodes, 2 were asked for"):
        sampler.sample(2)
    slot.publish()
    assert sorted(sampler.sample(2).lengths.tolist()) == [2, 3]


def test_an_exception_aborts_the_episode():
    ring = EpisodeRing(SPEC, 2)
    writer = ring.writer()
    with pytest.raises(ZeroDivisionError), writer.episode() as slot:
        fill(slot, make_episode(SPEC, 2, 0))
        raise ZeroDivisionError
    assert len(ring) == 0
    assert ring.stats()["aborted"] == 1
    write(writer, make_episode(SPEC, 2, 1))
    assert len(ring) == 1


def test_a_forgotten_writer_gives_its_slot_back():
    ring = EpisodeRing(SPEC, 1)
    slot = ring.writer().open()
    with pytest.raises(RingBusyError):
        ring.writer().open()
    del slot
    gc.collect()
    write(ring.writer(), make_episode(SPEC, 1, 0))


def test_when_every_slot_is_being_written_a_claim_is_busy_and_a_sample_too():
    ring = EpisodeRing(SPEC, 2)
    writers = [ring.writer() for _ in range(3)]
    open_slots = [writer.open() for writer in writers[:2]]
    with pytest.raises(RingBusyError, match="raise its capacity"):
        writers[2].open()
    assert ring.stats()["busy"] == 1
    for slot in open_slots:
        slot.abort()
    with writers[2].episode() as slot:
        fill(slot, make_episode(SPEC, 1, 0))


def test_the_same_seed_draws_the_same_batches():
    ring = EpisodeRing(SPEC, 50)
    writer = ring.writer()
    for seed in range(50):
        write(writer, make_episode(SPEC, 1, seed))

    def draws(seed):
        sampler = ring.sampler(seed)
        return torch.stack([sampler.sample(8).rewards[:, 0] for _ in range(5)])

    assert torch.equal(draws(3), draws(3))
    assert not torch.equal(draws(3), draws(4))


def test_sampling_is_uniform_and_without_replacement():
    """Chi-square over 20 of 23 slots, three being written: 40,000 draws, critical value for p = 0.001."""
    ring = EpisodeRing(SPEC, 23)
    writer = ring.writer()
    rewards = []
    for seed in range(23):
        episode = make_episode(SPEC, 1, seed)
        rewards.append(float(episode["rewards"][0]))
        write(writer, episode)
    overwriting = [ring.writer() for _ in range(3)]
    open_slots = [w.open() for w in overwriting]
    counts = dict.fromkeys(rewards[3:], 0)
    sampler = ring.sampler(11)
    for _ in range(8_000):
        drawn = sampler.sample(5).rewards[:, 0].tolist()
        assert len(set(drawn)) == 5
        for reward in drawn:
            counts[reward] += 1
    expected = 8_000 * 5 / 20
    # Without replacement the counts vary less than a multinomial's by (20 - 5) / (20 - 1).
    chi_square = sum((c - expected) ** 2 / expected for c in counts.values()) / (15 / 19)
    assert chi_square < 43.8
    assert len(open_slots) == 3


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (lambda e: e["obs"].__setitem__((1, 0, 0), 0.5), r"obs: 0.5\d* cannot be stored exactly as int8"),
        (lambda e: e["obs"].__setitem__((1, 0, 0), 128), r"obs: 128\.0+ cannot be stored exactly as int8"),
        (lambda e: e["obs"].__setitem__((1, 0, 0), np.nan), r"obs: -?nan cannot be stored exactly as int8"),
        (lambda e: e["actions"].__setitem__((0, 1), 11), "actions: agent 1 took 11, expected 0 to 10"),
        (lambda e: e["actions"].__setitem__((0, 1), -1), "actions: agent 1 took -1, expected 0 to 10"),
        (
            lambda e: e.update(obs=e["obs"].astype(np.float64)),
            r"obs: expected \(2, 3\) float32 .* got \(2, 3\) float64",
        ),
        (lambda e: e.update(obs=e["obs"][:, :, :2]), r"obs: expected \(2, 3\) float32 .* got \(2, 2\)"),
        (lambda e: e.update(avail=e["avail"].astype(np.int8)), r"avail: expected \(2, 11\) bool .* int8"),
        (lambda e: e.update(states=None), r"state: expected \(4,\) float32, got none"),
        (lambda e: e.update(states=e["states"][:, :3]), r"state: expected \(4,\) float32 .* got \(3,\)"),
    ],
)
def test_refuses_what_a_slot_cannot_hold(spoil, match):
    ring = EpisodeRing(SPEC, 2)
    writer = ring.writer()
    episode = make_episode(SPEC, 2, 0)
    spoil(episode)
    with pytest.raises(ValueError, match=match):
        write(writer, episode)
    assert ring.stats()["aborted"] == 1


def test_refuses_a_step_past_the_limit():
    writer = EpisodeRing(SPEC, 2).writer()
    with pytest.raises(ValueError, match="episode_limit: the slot holds 6 steps, and it is full"):
        write(writer, make_episode(SPEC, 7, 0))


def test_refuses_an_empty_episode():
    ring = EpisodeRing(SPEC, 2)
    writer = ring.writer()
    with pytest.raises(ValueError, match="without a step"), writer.episode() as slot:
        slot.begin(*point(make_episode(SPEC, 1, 0), 0))
    assert ring.stats()["aborted"] == 1


def test_refuses_the_use_of_a_slot_after_publish():
    writer = EpisodeRing(SPEC, 2).writer()
    episode = make_episode(SPEC, 1, 0)
    with writer.episode() as slot:
        fill(slot, episode)
    with pytest.raises(RuntimeError, match="this episode has ended"):
        fill(slot, episode)
    with pytest.raises(RuntimeError, match="this episode has ended"):
        slot.publish()


def test_refuses_two_open_episodes_of_one_writer_and_a_missing_begin():
    writer = EpisodeRing(SPEC, 3).writer()
    episode = make_episode(SPEC, 1, 0)
    slot = writer.open()
    with pytest.raises(RuntimeError, match="already has an open episode"):
        writer.open()
    with pytest.raises(RuntimeError, match="begin the episode"):
        slot.append(episode["actions"][0], 0.0, False, *point(episode, 1))
    slot.begin(*point(episode, 0))
    with pytest.raises(RuntimeError, match="already begun"):
        slot.begin(*point(episode, 0))


@pytest.mark.parametrize("capacity", [0, -1, 2.5, True])
def test_refuses_an_unusable_capacity(capacity):
    with pytest.raises(ValueError, match="capacity: expected a positive integer"):
        EpisodeRing(SPEC, capacity)


def test_refuses_more_memory_than_is_free_and_shows_the_arithmetic():
    with pytest.raises(MemoryError, match=r"1,000,000,000,000 episodes x 320 bytes = .* MiB are free"):
        EpisodeRing(SPEC, 10**12)
    for capacity in (2**62, 2**63, 10**30):  # whose bytes no native integer holds
        with pytest.raises(MemoryError, match=rf"{capacity:,} episodes x 320 bytes = .*; lower buffer_size"):
            EpisodeRing(SPEC, capacity)


def test_sizes_that_overflow_are_an_error():
    huge = EpisodeSpec(2**31 - 1, 8, 2**31 - 1, 1, 2**31 - 1)
    with pytest.raises(OverflowError, match="overflow"):
        ring_bytes(huge, 1)
    for refuse in (describe_memory, EpisodeRing):
        with pytest.raises(MemoryError, match=r"an episode .* exceeds what memory can hold; lower buffer_size"):
            refuse(huge, 1)


def test_the_size_is_what_is_announced():
    ring = EpisodeRing(SPEC, 10)
    assert ring.nbytes == ring_bytes(SPEC, 10)
    assert "10 episodes x 320 bytes" in describe_memory(SPEC, 10)
    lbf = EpisodeSpec(2, 6, 15, 30, 50, concat_state=True, obs_storage="int8")
    assert ring_bytes(lbf, 5_000) < 12 * 2**20


@pytest.mark.parametrize("batch_size", [0, -3])
def test_refuses_an_unusable_batch_size(batch_size):
    with pytest.raises(ValueError, match="batch_size: expected a positive integer"):
        EpisodeRing(SPEC, 2).sampler(0).sample(batch_size)


def test_at_most_sixteen_samplers():
    ring = EpisodeRing(SPEC, 2)
    samplers = [ring.sampler(k) for k in range(16)]
    with pytest.raises(RuntimeError, match="samplers: at most 16"):
        ring.sampler(16)
    del samplers[0]
    gc.collect()
    ring.sampler(17)


def torn_episodes(write_one, publishes=3_000, writers=3, samplers=2):
    """Write episodes whose every value is their own number from threads, sample beside, count mixtures."""
    spec = EpisodeSpec(1, 1, 40, 1, 4)
    ring = EpisodeRing(spec, 24)
    torn, running = [], threading.Event()
    running.set()

    def produce(first):
        writer = ring.writer()
        for k in range(publishes):
            write_one(writer, float(first * publishes + k))

    def check(seed):
        sampler = ring.sampler(seed)
        while running.is_set():
            try:
                batch = sampler.sample(4)
            except (ValueError, RingBusyError):
                continue
            values = torch.cat([batch.obs.flatten(1), batch.rewards], 1)
            torn.extend(v.tolist() for v in values if not (v == v[0]).all())

    checkers = [threading.Thread(target=check, args=(seed,)) for seed in range(samplers)]
    producers = [threading.Thread(target=produce, args=(first,)) for first in range(writers)]
    for thread in (*checkers, *producers):
        thread.start()
    for thread in producers:
        thread.join()
    running.clear()
    for thread in checkers:
        thread.join()
    return ring, torn


def write_number(writer, number):
    avail = np.ones((1, 1), np.bool_)
    obs, state = np.full((1, 40), number, np.float32), np.full(1, number, np.float32)
    with writer.episode() as slot:
        slot.begin(obs, avail, state)
        for _ in range(4):
            slot.append(np.zeros(1, np.int64), number, False, obs, avail, state)


def test_threads_never_see_a_torn_episode():
    ring, torn = torn_episodes(write_number)
    assert not torn
    assert ring.stats()["published"] == 9_000


def test_the_check_for_torn_episodes_sees_one():
    def write_two_numbers(writer, number):
        avail = np.ones((1, 1), np.bool_)
        with writer.episode() as slot:
            slot.begin(np.full((1, 40), number, np.float32), avail, np.zeros(1, np.float32))
            for t in range(4):
                value = np.full((1, 40), number + t, np.float32)
                slot.append(np.zeros(1, np.int64), number, False, value, avail, np.zeros(1, np.float32))

    assert torn_episodes(write_two_numbers, publishes=200)[1]


def test_a_batch_is_written_into_the_callers_memory():
    ring = EpisodeRing(SPEC, 8)
    writer = ring.writer()
    for seed, length in enumerate((2, 5, 3)):
        write(writer, make_episode(SPEC, length, seed))
    out = EpisodeBatch.empty(SPEC, 4)
    one, other = ring.sampler(0), ring.sampler(0)
    for batch_size in (1, 2, 3):
        into, fresh = one.sample(batch_size, out=out), other.sample(batch_size)
        for name, tensor in into.tensors().items():
            assert torch.equal(tensor, getattr(fresh, name))
            assert tensor.is_contiguous()
            assert tensor.data_ptr() == getattr(out, name).data_ptr()


@pytest.mark.parametrize(
    ("name", "odd", "match"),
    [
        (
            "obs",
            torch.empty(4, 7, 2, 3, dtype=torch.float64),
            r"out.obs: .*float32 .*\(3, 6, 2, 3\), got .*64",
        ),
        ("obs", torch.empty(4, 7, 3, 2), r"out.obs: expected .* got \(4, 7, 3, 2\)"),
        ("obs", torch.empty(4, 7, 2, 6)[..., ::2], "out.obs: .* not contiguous"),
        ("rewards", torch.empty(1, 6), r"out.rewards: expected .* room for \(3, 5\), got \(1, 6\)"),
        ("lengths", torch.empty(4, 1, dtype=torch.int64), r"out.lengths: expected .* \(3,\), got \(4, 1\)"),
        ("avail", torch.empty(4, 7, 2, 11, dtype=torch.uint8), "out.avail: expected a contiguous bool"),
        ("states", torch.empty(4, 7, 4, device="meta"), "out.states: .* on meta"),
    ],
)
def test_refuses_memory_that_does_not_fit(name, odd, match):
    ring = EpisodeRing(SPEC, 8)
    for seed in range(3):
        write(ring.writer(), make_episode(SPEC, 5, seed))
    out = dataclasses.replace(EpisodeBatch.empty(SPEC, 4), **{name: odd})
    sampler = ring.sampler(0)
    with pytest.raises(ValueError, match=match):
        sampler.sample(3, out=out)
    assert sampler.sample(3).obs.shape[0] == 3, "nothing stays pinned"


@pytest.mark.parametrize("concat", [False, True])
@pytest.mark.parametrize("storage", ["int8", "uint8", "int16", "float32"])
@pytest.mark.parametrize("n_actions", [11, 300])
def test_an_episode_can_be_written_whole_or_in_place(storage, concat, n_actions):
    spec = EpisodeSpec(2, n_actions, 3, 6, 6, concat_state=concat, obs_storage=storage, state_storage="float32")
    ring = EpisodeRing(spec, 4)
    writer = ring.writer()
    episode = make_episode(spec, 4, 0)
    names = ("obs", "avail", "states", "actions", "rewards", "terminated")
    with writer.episode() as slot:
        slot.write(*(episode[name] for name in names))
    with writer.episode() as slot:
        views = slot.views()
        assert ("state" in views) is not concat
        assert views["obs"].shape == (7, 2, 3)
        assert views["obs"].dtype == storage
        for name, view in views.items():
            values = episode["states" if name == "state" else name]
            if name == "avail":
                values = np.packbits(values, axis=-1, bitorder="little")
            view[: len(values)] = values
        slot.finish(4)
    batch = ring.sampler(0).sample(2)
    for b in range(2):
        assert_holds(batch, b, spec, episode)
    assert not any(view.flags.writeable for view in views.values())


def test_views_outlive_the_ring_unharmed():
    slot = EpisodeRing(SPEC, 2).writer().open()
    obs = slot.views()["obs"]
    del slot
    gc.collect()
    assert obs.sum() == 0


@pytest.mark.parametrize(
    ("steps", "action", "match"),
    [
        (0, 0, "steps: expected 1 to 6, got 0"),
        (7, 0, "steps: expected 1 to 6, got 7"),
        (2, 11, "actions: expected 0 to 10, got 11"),
    ],
)
def test_refuses_to_finish_what_is_no_episode(steps, action, match):
    ring = EpisodeRing(SPEC, 2)
    with pytest.raises(ValueError, match=match), ring.writer().episode() as slot:
        slot.views()["actions"][:] = action
        slot.finish(steps)
    assert ring.stats()["aborted"] == 1
    with pytest.raises(RuntimeError, match="this episode has ended"):
        slot.finish(1)


def test_refuses_whole_episodes_that_do_not_fit():
    writer = EpisodeRing(SPEC, 2).writer()
    for spoil, match in [
        (lambda e: e.update(obs=e["obs"][:-1]), r"obs: expected \(3, 2, 3\) float32"),
        (lambda e: e.update(rewards=e["rewards"][None]), r"rewards: expected \(L,\) float32"),
        (lambda e: e.update(rewards=e["rewards"].astype("f8")), r"rewards: expected \(2,\) float32 .* float64"),
        (lambda e: e["actions"].__setitem__((1, 0), 11), "actions: agent 0 took 11"),
    ]:
        episode = make_episode(SPEC, 2, 0)
        spoil(episode)
        with pytest.raises(ValueError, match=match), writer.episode() as slot:
            slot.write(*episode.values())
    long = make_episode(SPEC, 7, 0)
    with pytest.raises(ValueError, match="episode_limit: the slot holds 6 steps"), writer.episode() as slot:
        slot.write(*long.values())


def test_tickets_decide_where_episodes_lie():
    ring = EpisodeRing(SPEC, 4)
    first = ring.reserve(3)
    writers = [ring.writer() for _ in range(4)]
    for ticket in (2, 0, 1):
        slot = writers[ticket].open(first + ticket)
        fill(slot, number_episode(ticket))
        slot.publish()
    for number in (3, 4, 5):  # the fourth slot, then over those of the first tickets
        write(writers[0], number_episode(number))
    assert numbers(ring) == [2, 3, 4, 5]


def test_a_retired_episode_is_not_counted():
    ring = EpisodeRing(SPEC, 2)
    writer, sampler = ring.writer(), ring.sampler(0)
    for number in range(2):
        write(writer, number_episode(number))
    sampler._sampler.pin(2)
    with pytest.raises(RingBusyError):
        writer.open()
    sampler._sampler.release()
    assert len(ring) == 0
    with pytest.raises(ValueError, match="holds 0 episodes, 1 were asked for"):
        sampler.sample(1)
    write(writer, number_episode(2))
    assert numbers(ring, sampler) == [2]


@pytest.mark.slow
def test_every_simd_level_stores_and_reads_the_same(at_simd_level):
    program = """
import hashlib, numpy as np
from pyqmix import EpisodeRing
from pyqmix.base.spec import EpisodeSpec
digest = hashlib.sha256()
for storage in ("int8", "uint8", "int16", "float32"):
    random = np.random.default_rng(0)
    spec = EpisodeSpec(3, 13, 17, 51, 40, concat_state=True, obs_storage=storage)
    ring = EpisodeRing(spec, 1)
    with ring.writer().episode() as slot:
        slot.write(random.integers(0, 100, (41, 3, 17)).astype("f4"), random.random((41, 3, 13)) < 0.5, None,
                   random.integers(0, 13, (40, 3)), random.random(40, np.float32), random.random(40) < 0.5)
    batch = ring.sampler(0).sample(1)
    for tensor in batch.tensors().values():
        digest.update(tensor.numpy().tobytes())
    try:
        with ring.writer().episode() as slot:
            obs = np.zeros((2, 3, 17), "f4")
            obs[1, 2, 3] = obs[1, 2, 7] = np.nan if storage != "float32" else 1.0
            one = np.zeros(1, "f4")
            slot.write(obs, np.ones((2, 3, 13), bool), None, np.zeros((1, 3), int), one, one.astype(bool))
    except ValueError as error:
        digest.update(str(error).encode())
print(digest.hexdigest())
"""
    baseline = at_simd_level("baseline", program)
    for level in ("avx2", "avx512"):
        assert at_simd_level(level, program) == baseline


@pytest.mark.parametrize("concat_state", [False, True])
def test_a_batch_with_room_for_the_limit_is_one_piece_of_memory(concat_state):
    spec = dataclasses.replace(SPEC, concat_state=concat_state, state_dim=SPEC.n_agents * SPEC.obs_dim)
    ring = EpisodeRing(spec, 8)
    for seed, length in enumerate((2, 5, 3)):
        write(ring.writer(), make_episode(spec, length, seed))
    out, plain = EpisodeBatch.empty(spec, 3), ring.sampler(0).sample(3)
    batch = ring.sampler(0).sample(3, out, spec.episode_limit)
    for name, value in plain.tensors().items():
        assert torch.equal(getattr(batch, name), value)
    memory = batch.memory
    assert memory is not None
    twin = EpisodeBatch.empty(spec, 3)
    twin.memory.copy_(memory)
    for name, value in twin.up_to(5).tensors().items():
        assert torch.equal(value, getattr(plain, name))


def test_a_batch_of_several_pieces_of_memory_is_known():
    batch, other = EpisodeBatch.empty(SPEC, 3), EpisodeBatch.empty(SPEC, 3)
    assert batch.memory is not None
    for mixed in (
        dataclasses.replace(batch, rewards=other.rewards),
        dataclasses.replace(batch, rewards=batch.rewards.clone()),
        dataclasses.replace(batch, obs=batch.obs.clone()),
        EpisodeBatch.empty(SPEC, 3, SPEC.episode_limit - 1),
        batch.fitted(SPEC, 3, 2),
    ):
        assert mixed.memory is None


def test_room_for_less_than_an_episode_is_refused():
    ring = EpisodeRing(SPEC, 4)
    write(ring.writer(), make_episode(SPEC, 3, 0))
    with pytest.raises(ValueError, match="room: expected at least the longest episode's 3 steps, got 2"):
        ring.sampler(0).sample(1, room=2)
    assert ring.sampler(0).sample(1, room=4).actions.shape[1] == 3
