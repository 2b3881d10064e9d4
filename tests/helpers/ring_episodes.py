"""Episodes for rings, and what other processes do with them: importable there under every start method."""

import os
import signal

import numpy as np
import torch

from pyqmix import EpisodeRing
from pyqmix.base.spec import EpisodeSpec

SPEC = EpisodeSpec(n_agents=2, n_actions=11, obs_dim=3, state_dim=4, episode_limit=6, obs_storage="int8")


def make_episode(spec, length, seed):
    """Arrays of one episode with values that every storage dtype holds."""
    random = np.random.default_rng(seed)

    def points(*shape):
        return random.integers(0, 100, (length + 1, *shape)).astype(np.float32)

    return {
        "obs": points(spec.n_agents, spec.obs_dim),
        "avail": random.random((length + 1, spec.n_agents, spec.n_actions)) < 0.5,
        "states": None if spec.concat_state else points(spec.state_dim),
        "actions": random.integers(0, spec.n_actions, (length, spec.n_agents)),
        "rewards": random.standard_normal(length).astype(np.float32),
        "terminated": random.random(length) < 0.5,
    }


def point(episode, t):
    states = episode["states"]
    return episode["obs"][t], episode["avail"][t], None if states is None else states[t]


def fill(slot, episode):
    slot.begin(*point(episode, 0))
    for t, actions in enumerate(episode["actions"]):
        slot.append(actions, episode["rewards"][t], bool(episode["terminated"][t]), *point(episode, t + 1))


def write(writer, episode):
    with writer.episode() as slot:
        fill(slot, episode)


def assert_holds(batch, b, spec, episode):
    length = len(episode["actions"])
    assert batch.lengths[b] == length
    assert torch.equal(batch.obs[b, : length + 1], torch.from_numpy(episode["obs"]))
    assert torch.equal(batch.avail[b, : length + 1], torch.from_numpy(episode["avail"]))
    states = episode["states"]
    states = episode["obs"].reshape(length + 1, -1) if states is None else states
    assert torch.equal(batch.states[b, : length + 1], torch.from_numpy(states))
    for name in ("actions", "rewards", "terminated"):
        assert torch.equal(getattr(batch, name)[b, :length], torch.from_numpy(episode[name]))
    for name in ("obs", "avail", "states"):
        assert not getattr(batch, name)[b, length + 1 :].any()
    for name in ("actions", "rewards", "terminated"):
        assert not getattr(batch, name)[b, length:].any()


def number_episode(number, length=3):
    """An episode of SPEC of which the rewards tell the number."""
    return {**make_episode(SPEC, length, number), "rewards": np.full(length, number, np.float32)}


def numbers(ring, sampler=None):
    """The numbers of all episodes in a ring, sorted."""
    sampler = sampler or ring.sampler(0)
    return sorted(int(reward) for reward in sampler.sample(len(ring)).rewards[:, 0])


def write_numbers(ring, first, count):
    """Write so many numbered episodes, as a process of its own."""
    writer = ring.writer()
    for number in range(first, first + count):
        write(writer, number_episode(number))


def write_received(inbox):
    """Write one numbered episode into a ring that comes through a pipe."""
    write_numbers(inbox.recv(), 7, 1)


def write_through(fd, first, count):
    write_numbers(EpisodeRing.attach(fd), first, count)


def die_while_writing(ring):
    slot = ring.writer().open()
    assert slot is not None
    os.kill(os.getpid(), signal.SIGKILL)


def die_while_sampling(ring, count):
    sampler = ring.sampler(0)
    assert len(sampler._sampler.pin(count)) == count
    os.kill(os.getpid(), signal.SIGKILL)


def fill_a_copy(ring, laps):
    """Write a private ring's copy full, past what the parent has open and pinned."""
    for lap in range(laps):
        write_numbers(ring, 10 * lap, ring.capacity)
    assert len(ring) == ring.capacity
    assert ring.stats()["revoked"] == 1


def use_inherited(ring, writer, sampler, outbox):
    """Tell what an inherited writer and sampler say, and what a new writer does."""
    said = []
    for use in (writer.open, lambda: sampler.sample(1)):
        try:
            use()
        except RuntimeError as error:
            said.append(str(error))
    write_numbers(ring, 5, 1)
    outbox.send(said)
