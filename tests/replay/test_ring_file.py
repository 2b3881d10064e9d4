"""Rings in files: what comes back, and what damaged or foreign files say."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from ring_episodes import SPEC, assert_holds, fill, make_episode, number_episode, numbers, write, write_numbers

from pyqmix import EpisodeRing
from pyqmix.base.free_memory import Free
from pyqmix.base.spec import EpisodeSpec
from pyqmix.replay import RingFileError


@pytest.fixture
def saved(tmp_path):
    """The file of a ring of six slots that holds three episodes."""
    ring = EpisodeRing(SPEC, 6)
    write_numbers(ring, 0, 3)
    assert ring.save(tmp_path / "ring") == 3
    return tmp_path / "ring"


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("concat", [False, True])
def test_what_is_saved_is_loaded(tmp_path, shared, concat):
    spec = EpisodeSpec(2, 300, 3, 6, 5, concat_state=concat, obs_storage="int16", state_storage="uint8")
    ring = EpisodeRing(spec, 4, shared)
    episodes = [
        {**make_episode(spec, 1 + k % 5, k), "rewards": np.full(1 + k % 5, k, np.float32)} for k in range(6)
    ]
    writer = ring.writer()
    for episode in episodes:
        write(writer, episode)
    ring.save(str(tmp_path / "ring"))
    loaded = EpisodeRing.load(tmp_path / "ring", shared=shared)
    assert (loaded.spec, loaded.capacity, len(loaded), loaded.shared) == (spec, 4, 4, shared)
    batch = loaded.sampler(0).sample(4)
    for b, number in enumerate(batch.rewards[:, 0].int().tolist()):
        assert_holds(batch, b, spec, episodes[number])
    for kept in ([3, 4, 5, 9], [4, 5, 9, 9], [5, 9, 9, 9]):  # the oldest goes first
        write(loaded.writer(), {**episodes[0], "rewards": np.full(1, 9, np.float32)})
        assert numbers(loaded) == kept


def test_the_same_episodes_are_the_same_bytes(tmp_path):
    for name, before in (("one", 100), ("other", 200)):
        ring = EpisodeRing(SPEC, 4)
        write_numbers(ring, before, 4)  # what they leave behind in the slots is not saved
        for number in range(4):
            write(ring.writer(), number_episode(number, length=2))
        ring.save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_an_empty_ring_can_be_saved(tmp_path):
    assert EpisodeRing(SPEC, 3).save(tmp_path / "ring") == 0
    assert len(EpisodeRing.load(tmp_path / "ring")) == 0


def test_an_open_episode_is_not_saved(tmp_path):
    ring = EpisodeRing(SPEC, 3)
    write_numbers(ring, 0, 1)
    writer = ring.writer()
    with writer.episode() as slot:
        fill(slot, number_episode(5))
        assert ring.save(tmp_path / "ring") == 1
    assert numbers(EpisodeRing.load(tmp_path / "ring")) == [0]


def outcome(path):
    """The numbers that a file loads, or None for the typed error."""
    try:
        return numbers(EpisodeRing.load(path))
    except RingFileError:
        return None


def test_every_truncation_is_an_error(saved):
    content = saved.read_bytes()
    for size in range(len(content)):
        saved.write_bytes(content[:size])
        assert outcome(saved) is None
    saved.write_bytes(content + b"\0")
    assert outcome(saved) is None
    saved.write_bytes(content)
    assert outcome(saved) == [0, 1, 2]


def test_ten_thousand_flipped_bits_are_errors(saved):
    content = bytearray(saved.read_bytes())
    bits = np.random.default_rng(0).permutation(8 * len(content))[:10_000].tolist()
    with saved.open("r+b", buffering=0) as file:
        for bit in bits:
            for byte in (content[bit // 8] ^ 1 << bit % 8, content[bit // 8]):
                file.seek(bit // 8)
                file.write(bytes([byte]))
                if byte != content[bit // 8]:
                    assert outcome(saved) is None
    assert outcome(saved) == [0, 1, 2]


def test_foreign_files_are_errors(saved, tmp_path):
    for content, why in [(b"", "0 bytes"), (b"PK" * 200, "another kind"), (os.urandom(1000), "another kind")]:
        saved.write_bytes(content)
        with pytest.raises(RingFileError, match=f"ring: expected a saved ring, got .*{why}"):
            EpisodeRing.load(saved)
    with pytest.raises(RingFileError, match="expected a file"):
        EpisodeRing.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        EpisodeRing.load(tmp_path / "absent")


def test_a_failed_save_leaves_the_old_file(saved):
    before = saved.read_bytes()
    ring = EpisodeRing(SPEC, 2)
    samplers = [ring.sampler(k) for k in range(16)]
    with pytest.raises(RuntimeError, match="at most 16"):
        ring.save(saved)
    assert samplers
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == ["ring"]
    with pytest.raises(FileNotFoundError) as refused:
        ring.save(saved.parent / "absent" / "ring")
    assert refused.value.filename == str(saved.parent / "absent" / "ring")


def test_a_ring_larger_than_memory_is_not_loaded(saved, monkeypatch):
    monkeypatch.setattr("pyqmix.replay.memory.free_memory", lambda: Free(1000))
    with pytest.raises(MemoryError, match="MiB are free"):
        EpisodeRing.load(saved)


def test_saving_does_not_disturb_a_copy(saved, tmp_path):
    copy = Path(shutil.copy(saved, tmp_path / "copy"))
    ring = EpisodeRing.load(copy)
    write_numbers(ring, 3, 1)
    ring.save(saved)
    assert numbers(EpisodeRing.load(saved)) == [0, 1, 2, 3]
    assert numbers(EpisodeRing.load(copy)) == [0, 1, 2]
