"""One ring in several processes: every way to pass it, what a fork inherits, and who dies with what."""

import fcntl
import gc
import multiprocessing
import os
import pickle
from pathlib import Path

import pytest
import ring_episodes
from ring_episodes import SPEC, number_episode, numbers, write, write_numbers

from pyqmix import EpisodeRing
from pyqmix.replay import RingBusyError

multiprocessing.get_context("forkserver").set_forkserver_preload(["pyqmix.replay"])  # imports torch once


@pytest.fixture
def ring():
    return EpisodeRing(SPEC, 6, shared=True)


def run(method, target, *arguments):
    """Run a function in a process of its own; return its exit code."""
    process = multiprocessing.get_context(method).Process(target=target, args=arguments)
    process.start()
    process.join()
    return process.exitcode


def open_descriptors():
    return sorted(os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if _is_open(fd))


def _is_open(fd):
    return os.path.lexists(f"/proc/self/fd/{fd}")


def memory_files():
    return sum("pyqmix-ring" in name for name in open_descriptors())


def mappings():
    return Path("/proc/self/maps").read_text().count("pyqmix-ring")


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_process_is_handed_the_ring(ring, method):
    write_numbers(ring, 0, 2)
    assert run(method, write_numbers, ring, 2, 2) == 0
    assert numbers(ring) == [0, 1, 2, 3]
    assert ring.stats() == {"published": 4, "overwritten": 0, "aborted": 0, "revoked": 0, "busy": 0}


def test_a_process_receives_the_ring_through_a_pipe(ring):
    context = multiprocessing.get_context("forkserver")
    inbox, outbox = context.Pipe(duplex=False)
    process = context.Process(target=ring_episodes.write_received, args=(inbox,))
    process.start()
    outbox.send(ring)
    process.join()
    assert process.exitcode == 0
    assert numbers(ring) == [7]


def test_attaching_by_descriptor_sees_the_same_episodes(ring):
    other = EpisodeRing.attach(ring.fileno())
    assert (other.spec, other.capacity, other.nbytes, other.shared) == (SPEC, 6, ring.nbytes, True)
    write_numbers(ring, 0, 2)
    write_numbers(other, 2, 2)
    assert numbers(ring) == numbers(other) == [0, 1, 2, 3]
    slot = ring.writer().open()
    with pytest.raises(RuntimeError, match="samplers: at most 16"):
        [other.sampler(k) for k in range(17)]
    slot.abort()


@pytest.mark.parametrize("shared", [True, False])
def test_a_forked_child_has_none_of_its_parents_writers_and_samplers(shared):
    ring = EpisodeRing(SPEC, 6, shared)
    writer, sampler = ring.writer(), ring.sampler(0)
    write(writer, number_episode(1))
    with writer.episode() as slot:
        receiver, sender = multiprocessing.Pipe(duplex=False)
        assert run("fork", ring_episodes.use_inherited, ring, writer, sampler, sender) == 0
        assert receiver.recv() == [
            "this writer belongs to the process that made it; make one in each process",
            "this sampler belongs to the process that made it; make one in each process",
        ]
        ring_episodes.fill(slot, number_episode(2))
    assert numbers(ring, sampler) == ([1, 2, 5] if shared else [1, 2])
    assert ring.stats()["revoked"] == 0


def test_a_forked_child_takes_the_slots_that_its_copy_of_a_private_ring_has_open():
    ring = EpisodeRing(SPEC, 2)
    write_numbers(ring, 0, 2)
    sampler, writer = ring.sampler(0), ring.writer()
    with writer.episode() as slot:
        sampler._sampler.pin(1)
        assert run("fork", ring_episodes.fill_a_copy, ring, 4) == 0
        ring_episodes.fill(slot, number_episode(2))
    sampler._sampler.release()
    assert numbers(ring) == [1, 2]


@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_a_killed_writers_slots_come_back(ring, method):
    for _ in range(2):
        assert run(method, ring_episodes.die_while_writing, ring) == -9
    writers = [ring.writer() for _ in range(6)]
    slots = [writer.open() for writer in writers]
    assert len(slots) == 6
    assert ring.stats()["revoked"] == 2


def test_a_living_writers_slot_is_left_alone(ring):
    writers = [ring.writer() for _ in range(7)]
    other = EpisodeRing.attach(ring.fileno())
    slots = [writer.open() for writer in writers[:6]]
    for busy in (writers[6], other.writer()):
        with pytest.raises(RingBusyError):
            busy.open()
    for number, slot in enumerate(slots):
        ring_episodes.fill(slot, number_episode(number))
        slot.publish()
    assert numbers(other) == [0, 1, 2, 3, 4, 5]


def test_a_killed_samplers_pins_are_cleared(ring):
    write_numbers(ring, 0, 6)
    assert run("fork", ring_episodes.die_while_sampling, ring, 6) == -9
    writer = ring.writer()
    with pytest.raises(RingBusyError):
        writer.open()  # retires what is pinned; a lap later it is asked who holds it
    write(writer, number_episode(9))
    assert ring.stats()["revoked"] == 0
    write_numbers(ring, 10, 6)
    assert numbers(ring) == [10, 11, 12, 13, 14, 15]


def test_a_killed_samplers_pins_are_cleared_before_its_id_is_used_again(ring):
    write_numbers(ring, 0, 6)
    assert run("fork", ring_episodes.die_while_sampling, ring, 6) == -9
    samplers = [ring.sampler(k) for k in range(16)]
    write_numbers(ring, 10, 6)
    assert numbers(ring, samplers[0]) == [10, 11, 12, 13, 14, 15]


def test_attaching_leaves_nothing_behind(ring):
    gc.collect()
    before = memory_files(), mappings(), len(open_descriptors())
    for _ in range(int(os.environ.get("PYQMIX_ATTACHMENTS", "2000"))):
        other = EpisodeRing.attach(ring.fileno())
        writer, sampler = other.writer(), other.sampler(0)
        write(writer, number_episode(1))
        sampler.sample(1)
        del other, writer, sampler
    assert (memory_files(), mappings(), len(open_descriptors())) == before
    assert not [name for name in os.listdir("/dev/shm") if "pyqmix" in name]
    kept = EpisodeRing.attach(ring.fileno())
    assert (memory_files(), mappings()) == (before[0] + 1, before[1] + 1), "the check sees what is left"
    del kept


def test_the_memory_is_sealed_and_its_users_own(ring):
    file = os.stat(ring.fileno())
    assert file.st_mode & 0o777 == 0o600
    assert file.st_size == ring.nbytes
    assert file.st_blocks * 512 >= ring.nbytes, "allocated for real"
    for size in (0, ring.nbytes + 1):
        with pytest.raises(PermissionError):
            os.truncate(ring.fileno(), size)


def test_a_ring_of_one_process_cannot_be_passed():
    ring = EpisodeRing(SPEC, 2)
    assert not ring.shared
    for use in (ring.fileno, lambda: pickle.dumps(ring)):
        with pytest.raises(ValueError, match="belongs to one process: make it with shared=True"):
            use()


def memory_file(content):
    fd = os.memfd_create("foreign", os.MFD_ALLOW_SEALING)
    os.write(fd, content)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return fd


def test_what_is_no_ring_cannot_be_attached(ring, tmp_path):
    content = os.pread(ring.fileno(), ring.nbytes, 0)
    huge = content[:8] + (2**62).to_bytes(8, "little") + content[16:]
    for odd, why in [
        (b"", "empty"),
        (content[:50], "cut off"),
        (content[:-64], "the size is not"),
        (b"x" + content[1:], "foreign"),
        (huge, "overflow"),
        (content[:8] + b"\0" * 8 + content[16:], "must be positive"),
    ]:
        fd = memory_file(odd)
        with pytest.raises(ValueError, match=f"fd: expected the descriptor of a shared ring, got .*{why}"):
            EpisodeRing.attach(fd)
        os.close(fd)
    with (tmp_path / "file").open("wb") as file, pytest.raises(ValueError, match="no sealed memory file"):
        EpisodeRing.attach(file.fileno())
    with pytest.raises(ValueError, match="no sealed memory file"):
        EpisodeRing.attach(-1)
