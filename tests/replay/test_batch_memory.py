"""Batches take the memory of the longest episode that was drawn, not of the step limit."""

import dataclasses
import gc
import weakref

import pytest
import torch
from ring_episodes import SPEC, make_episode, write

from pyqmix import EpisodeRing
from pyqmix.base.free_memory import Free, MiB
from pyqmix.replay import EpisodeBatch, batch_memory
from pyqmix.replay.batch_memory import BatchMemory, batch_notes
from pyqmix.replay.device_store import store_bytes

CPU = torch.device("cpu")
LONG = dataclasses.replace(SPEC, episode_limit=100)


def room(batch):
    return batch.actions.shape[1]


def test_memory_grows_by_doubling_up_to_the_limit():
    memory = BatchMemory(LONG, 2, CPU)
    rooms = [room(memory(steps)) for steps in (3, 2, 3, 4, 5, 60, 1, 61, 100)]
    assert rooms == [3, 3, 3, 6, 6, 60, 60, 100, 100]
    assert memory(7) is memory(90)


def test_an_allocation_that_fails_can_be_tried_again(monkeypatch):
    memory = BatchMemory(LONG, 2, CPU)
    memory(2)
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="none left"):
        patch.setattr(EpisodeBatch, "empty", lambda *_: (_ for _ in ()).throw(RuntimeError("none left")))
        memory(3)
    assert room(memory(3)) == 4


@pytest.fixture
def samplers():
    """Two samplers with the same draws, of a ring with one episode that is longer than the others."""
    ring = EpisodeRing(LONG, 8)
    for seed, length in enumerate((2, 2, 50, 2)):
        write(ring.writer(), make_episode(LONG, length, seed))
    return ring.sampler(0), ring.sampler(0)


def test_batches_are_those_in_memory_of_their_own(samplers):
    sampler, twin = samplers
    memory, longest = BatchMemory(LONG, 2, CPU), []
    for _ in range(20):
        batch, fresh = sampler.sample(2, memory), twin.sample(2)
        longest.append(room(batch))
        assert all(torch.equal(tensor, getattr(fresh, name)) for name, tensor in batch.tensors().items())
    assert longest[0] == 2
    assert set(longest) == {2, 50}
    assert room(memory(1)) == 50, "no step of the limit was needed beyond these"


def test_memory_that_was_too_small_is_given_back(samplers):
    memory, sampler = BatchMemory(LONG, 2, CPU), samplers[0]
    batch = sampler.sample(2, memory)
    small = weakref.ref(batch.obs)
    del batch
    while room(sampler.sample(2, memory)) == 2:
        assert small() is not None, "it is used again"
    gc.collect()
    assert small() is None


def free(monkeypatch, size):
    monkeypatch.setattr(batch_memory, "free_memory", lambda: Free(size, " in a group"))


def test_batches_of_the_longest_episodes_are_told_of_where_they_do_not_fit(monkeypatch):
    batch = store_bytes(LONG, 2)
    free(monkeypatch, batch)
    assert batch_notes(LONG, 2) == []
    free(monkeypatch, batch - 1)
    (note,) = batch_notes(LONG, 2)
    assert note.startswith(
        f"batches: 2 episodes x {batch // 2:,} bytes = {batch / MiB:,.1f} MiB (100 steps, the limit), but"
    )
    assert " MiB are free in a group next to the replay buffer: training fails if episodes get that long" in note
    assert "lower batch_size, buffer_size, or episode_limit" in note


def test_page_locked_memory_is_refused_where_it_does_not_fit(monkeypatch):
    free(monkeypatch, 2 * store_bytes(LONG, 2) - 1)
    with pytest.raises(
        MemoryError, match=r"^batches: 2 episodes x .*, and training on a GPU needs two, but .* are free"
    ):
        BatchMemory(LONG, 2, torch.device("cuda"))
