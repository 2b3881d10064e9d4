"""A ring and its sampler that are restored go on as if nothing had happened."""

from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ring_episodes import SPEC, number_episode, numbers, write, write_numbers

from pyqmix import EpisodeRing
from pyqmix.replay import EpisodeSampler, PrioritisedSampler, RingBusyError, RingFileError
from pyqmix.replay.ring import RingFile

PREPARED = [number_episode(number, length=1 + number % 6) for number in range(64)]
STEPS = st.lists(
    st.sampled_from(["write", "write", "write", "abort", "pass over", "reserve", "draw", "draw and learn"]),
    max_size=20,
)


class Player:
    """A ring, its writer and its sampler, and what happens to them; the draws are kept."""

    def __init__(self, ring, sampler, number=0):
        self.ring, self.sampler, self.number = ring, sampler, number
        self.writer, self.drawn = ring.writer(), []

    def do(self, step):
        if step == "write":
            write(self.writer, PREPARED[self.number % 64])
            self.number += 1
        elif step == "abort":
            self.writer.open().abort()
        elif step == "reserve":
            self.ring.reserve(1)
        elif step == "pass over" and len(self.ring) > 0:
            self.pass_over()
        elif step.startswith("draw") and len(self.ring) > 0:
            batch = self.sampler.sample(min(3, len(self.ring)))
            importance = self.sampler.importance(0.5)
            weights = None if importance is None else importance.tolist()
            self.drawn.append((batch.rewards[:, 0].tolist(), batch.lengths.tolist(), weights))
            if step == "draw and learn":
                self.sampler.learn(batch.rewards[:, 0] / 7)

    def pass_over(self):
        """Let the writer find a slot pinned, which it retires."""
        pinning = self.ring.sampler(0)
        pinning._sampler.pin(1)
        with suppress(RingBusyError):
            self.writer.open().abort()
        pinning._sampler.release()

    def generations(self):
        """The generation of each slot that can be sampled."""
        pinning = self.ring.sampler(0)
        pinning._sampler.pin(self.ring.capacity)
        places = pinning._sampler.places()
        pinning._sampler.release()
        return sorted(map(tuple, places.tolist()))


def sampler_of(ring, kind):
    return ring.sampler(3) if kind == "uniform" else PrioritisedSampler(ring, 3, 0.6)


@settings(max_examples=80, deadline=None)
@given(
    capacity=st.integers(1, 7),
    kind=st.sampled_from(["uniform", "prioritised"]),
    parts=st.lists(STEPS, min_size=1, max_size=4),
    after=STEPS,
)
def test_a_restored_ring_and_sampler_draw_as_if_nothing_had_happened(
    tmp_path_factory, capacity, kind, parts, after
):
    folder = tmp_path_factory.mktemp("rings")
    ring = EpisodeRing(SPEC, capacity)
    saved = Player(ring, sampler_of(ring, kind))
    files, since = [], 0
    for k, part in enumerate(parts):
        for step in part:
            saved.do(step)
        files.append(folder / str(k))
        ring.dump(files[-1], since)
        since = ring.tickets
    state = {name: values.copy() for name, values in saved.sampler.state().items()}

    again = EpisodeRing(SPEC, capacity)
    restored = Player(again, sampler_of(again, kind), saved.number)
    again.restore(files)
    restored.sampler.load_state(state)
    assert (again.tickets, len(again)) == (ring.tickets, len(ring))
    assert restored.generations() == saved.generations()
    for name, values in restored.sampler.state().items():
        np.testing.assert_array_equal(values, state[name])
    saved.drawn.clear()
    for step in [*after, *["draw and learn", "write"] * 4]:
        saved.do(step)
        restored.do(step)
    assert restored.drawn == saved.drawn
    assert restored.generations() == saved.generations()


def test_one_file_of_the_whole_ring_is_enough_after_any_number_of_laps(tmp_path):
    ring = EpisodeRing(SPEC, 5)
    for k in range(4):
        write_numbers(ring, 10 * k, 8)
        ring.dump(tmp_path / str(k), 8 * k)  # more than a lap: the last five tickets
    loaded = EpisodeRing.load(tmp_path / "3")
    assert numbers(loaded) == [33, 34, 35, 36, 37]
    assert loaded.stats() == {"published": 5, "overwritten": 0, "aborted": 0, "revoked": 0, "busy": 0}
    again = EpisodeRing(SPEC, 5, shared=True)
    again.restore([tmp_path / "0", tmp_path / "3"])  # what the first leaves out, the last covers
    assert (numbers(again), again.tickets) == ([33, 34, 35, 36, 37], 32)
    for each in (loaded, again):  # the oldest goes first
        write_numbers(each, 50, 1)
        assert numbers(each) == [34, 35, 36, 37, 50]


def test_what_followed_the_end_is_left_out(tmp_path):
    """A round of episodes failed: the file before it is that of a run that never began the round."""
    ring, before = EpisodeRing(SPEC, 6), EpisodeRing(SPEC, 6)
    for each in (ring, before):
        write_numbers(each, 0, 4)
        each.dump(tmp_path / "first")
        write_numbers(each, 4, 4)  # six slots: 0 and 1 are gone
    until = ring.tickets
    write_numbers(ring, 100, 2)  # over 2 and 3
    ring.writer().open().abort()  # over 4
    found = ring.dump(tmp_path / "second", 4, until)
    assert found == RingFile(3, (tmp_path / "second").stat().st_size, found.checksum)
    again = EpisodeRing(SPEC, 6)
    again.restore([tmp_path / "first", tmp_path / "second"])
    assert again.tickets == until
    assert numbers(again) == [2, 3, 5, 6, 7]  # 2 and 3 come from the first file
    for each in (again, before):
        write_numbers(each, 100, 3)
        assert numbers(each) == [5, 6, 7, 100, 101, 102]
    write_numbers(ring, 200, 6)  # more than a lap after the end
    assert ring.save(tmp_path / "third", until=until) == 0


def test_files_that_do_not_make_a_ring_together_are_refused(tmp_path):
    ring = EpisodeRing(SPEC, 4)
    names = [tmp_path / name for name in "abc"]
    for k, name in enumerate(names):
        write_numbers(ring, 3 * k, 3)
        ring.dump(name, 3 * k)
    late = tmp_path / "d"
    write_numbers(ring, 9, 1)
    ring.dump(late, 8)
    for paths, why in [
        ([], "expected at least one file"),
        (names[1:2], "b: expected tickets from 2 on, got 3 to 6"),
        ([names[0], names[2]], "c: expected tickets from 5 on, got 6 to 9"),
        ([*names, late, names[2]], "c: expected tickets to 10 or later, got 6 to 9"),
        ([names[1], names[0]], "b: expected tickets from 0 on, got 3 to 6"),
        ([names[0], tmp_path / "absent"], "absent"),
    ]:
        again = EpisodeRing(SPEC, 4)
        with pytest.raises((RingFileError, FileNotFoundError), match=why):
            again.restore(paths)
        assert (again.tickets, len(again)) == (0, 0)
    with pytest.raises(RingFileError, match="c: expected tickets from 5 on, got 6 to 9"):
        EpisodeRing.load(names[2])
    with pytest.raises(RingFileError, match="a: expected the ring's sizes"):
        EpisodeRing(SPEC, 5).restore(names)
    with pytest.raises(RuntimeError, match="restore: expected a fresh ring, got one with 10 tickets"):
        ring.restore(names)
    again.restore(names)
    assert numbers(again) == [5, 6, 7, 8]


def test_tickets_that_were_not_given_are_refused(tmp_path):
    ring = EpisodeRing(SPEC, 4)
    write_numbers(ring, 0, 3)
    for since, until, name in [(-1, None, "since"), (4, None, "since"), (0, 4, "until"), (0, True, "until")]:
        with pytest.raises(ValueError, match=f"{name}: expected a ticket from 0 to 3, got"):
            ring.save(tmp_path / "ring", since, until)
    with pytest.raises(ValueError, match="expected 0 <= since <= until <= 3, got 2 to 1"):
        ring.save(tmp_path / "ring", 2, 1)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FileNotFoundError) as refused:
        ring.dump(tmp_path / "absent" / "ring")
    assert refused.value.filename == str(tmp_path / "absent" / "ring")


def test_a_file_tells_its_figures(tmp_path):
    ring = EpisodeRing(SPEC, 4)
    write_numbers(ring, 0, 3)
    written = ring.dump(tmp_path / "ring", 1)
    assert written == EpisodeRing.verify(tmp_path / "ring")
    assert (written.episodes, written.nbytes) == (2, (tmp_path / "ring").stat().st_size)
    write_numbers(ring, 4, 1)
    assert ring.dump(tmp_path / "ring", 1, 3) == written
    assert ring.dump(tmp_path / "ring", 1).checksum != written.checksum


@pytest.fixture(params=["uniform", "prioritised"])
def sampler(request):
    ring = EpisodeRing(SPEC, 6)
    write_numbers(ring, 0, 5)
    sampler = sampler_of(ring, request.param)
    for _ in range(3):
        sampler.learn(sampler.sample(4).rewards[:, 0])
    return sampler


def spoiled(state):
    """States that differ in one thing from one that is good."""
    random = state["random"]
    yield "random", random[:-1]
    yield "random", random.astype(np.int64)
    yield "random", np.where(np.arange(313) < 312, random, 313).astype(np.uint64)
    yield "random", np.where(np.arange(313) < 1, 1 << 30, 0).astype(np.uint64)
    yield "random", [int(word) for word in random]
    if "weights" in state:
        for name, slot, value in [
            ("weights", 0, np.nan),
            ("weights", 1, np.inf),
            ("weights", 0, -1.0),
            ("weights", 5, 0.5),  # of no episode
            ("generations", 0, -1),
            ("generations", 2, 1 << 32),
            ("largest", 0, np.inf),
            ("largest", 0, -1.0),
            ("learned_places", (1, 0), 6),
            ("learned_places", (1, 1), -1),
            ("learned_sizes", 0, 0),
            ("learned_sizes", 0, 5),
        ]:
            changed = state[name].copy()
            changed[slot] = value
            yield name, changed
        for name in ("weights", "generations", "largest", "learned_places", "learned_errors", "learned_sizes"):
            yield name, state[name][:-1]
            yield name, state[name].astype(np.float32)


def test_a_state_that_is_none_leaves_the_sampler_as_it_was(sampler):
    state = sampler.state()
    for name, values in spoiled(state):
        with pytest.raises(ValueError, match=name):
            sampler.load_state({**state, name: values})
    for other in ({}, {**state, "more": np.zeros(1)}):
        with pytest.raises(ValueError, match=r"state: expected .*random.*, got"):
            sampler.load_state(other)
    for name, values in sampler.state().items():
        np.testing.assert_array_equal(values, state[name])
    sampler.sample(4)
    sampler.load_state(state)
    first = sampler.sample(4).rewards[:, 0].tolist()
    sampler.load_state(state)
    assert sampler.sample(4).rewards[:, 0].tolist() == first


def test_a_state_holds_the_errors_that_have_not_counted_yet():
    ring = EpisodeRing(SPEC, 4)
    write_numbers(ring, 0, 2)
    one, other = (PrioritisedSampler(ring, 0, 1.0) for _ in range(2))
    one.learn(torch.where(one.sample(8).rewards[:, 0] == 0, 0.0, 1.0))
    one.sample(8)
    one.learn(torch.full((8,), torch.nan))
    state = one.state()
    assert state["learned_sizes"].tolist() == [8, 8]
    other.load_state(state)
    assert other.sample(8).rewards[:, 0].tolist() == [1.0] * 8
    with pytest.raises(ValueError, match=r"errors: expected \(8,\), got \(7,\)"):
        one.learn(torch.ones(7))
    assert isinstance(one, EpisodeSampler)
