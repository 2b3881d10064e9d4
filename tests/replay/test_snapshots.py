"""Rings of snapshots give the batches of rings that store observations and states, bit for bit."""

import dataclasses

import numpy as np
import pytest
import torch

from pyqmix import _C, EnvError, EpisodeRing, make_env
from pyqmix.base.seeding import Stream
from pyqmix.base.spec import spec_of
from pyqmix.envs import NativeEnv
from pyqmix.nn.agents import MLPAgent
from pyqmix.play.native import NativeRollout
from pyqmix.play.rollout import Rollout
from pyqmix.replay.device_store import DeviceStore
from pyqmix.replay.memory import describe_memory, ring_bytes

SCENARIOS = _C.smax_scenarios()
EPISODES = 5


def agent_of(spec):
    torch.manual_seed(0)
    return MLPAgent(spec.obs_dim, spec.n_actions, spec.n_agents, 8, True, True, None)


def play(env, spec, rollout=NativeRollout, epsilon=0.5):
    """Play the same episodes into a ring of a spec."""
    ring = EpisodeRing(spec, EPISODES)
    world = env if rollout is NativeRollout else [env]
    rollout(world, agent_of(env.spec), 5, Stream.ENVIRONMENT, ring).play(0, EPISODES, epsilon)
    return ring


def drawn(ring, store=None):
    """All that a full ring holds, in the order in which a sampler of one seed draws it."""
    batch = ring.sampler(3, store).sample(len(ring))
    return {name: value.numpy().tobytes() for name, value in batch.tensors().items()}


def without(spec):
    return dataclasses.replace(spec, snapshot=None)


@pytest.fixture
def battle():
    env = make_env("smax", task="3m")
    return env, play(env, env.spec)


@pytest.mark.parametrize("task", SCENARIOS)
def test_a_batch_from_snapshots_is_that_of_stored_observations(task):
    env = make_env("smax", task=task)
    assert env.spec.snapshot == "smax"
    assert drawn(play(env, env.spec)) == drawn(play(env, without(env.spec)))


@pytest.mark.parametrize("options", [{"last_action": True}, {"truncate_at_limit": True, "episode_limit": 9}])
def test_so_it_is_with_every_option(options):
    env = make_env("smax", task="2s3z", **options)
    assert drawn(play(env, env.spec)) == drawn(play(env, without(env.spec)))


@pytest.mark.parametrize("last_action", [False, True])
def test_so_it_is_where_the_state_is_the_observations(last_action):
    native = _C.SmaxEnv("5m_vs_6m", global_state=False, last_action=last_action)
    env = NativeEnv("smax", native)
    assert env.spec.concat_state
    assert env.spec.snapshot == "smax"
    assert drawn(play(env, env.spec)) == drawn(play(env, without(env.spec)))


def test_python_writes_the_same_snapshots(battle):
    env, ring = battle
    assert drawn(play(env, env.spec, Rollout)) == drawn(ring)
    assert drawn(play(env, without(env.spec), Rollout)) == drawn(ring)


def test_snapshots_survive_files_copies_and_other_descriptors(battle, tmp_path):
    env, ring = battle
    expected = drawn(ring)
    ring.save(tmp_path / "ring")
    loaded = EpisodeRing.load(tmp_path / "ring")
    assert loaded.spec == ring.spec == spec_of(env.native.spec)
    assert drawn(loaded) == expected
    shared = EpisodeRing(ring.spec, EPISODES, shared=True)
    assert _C.EpisodeTransfer(ring.native, shared.native).copy(0, EPISODES) == EPISODES
    assert drawn(EpisodeRing.attach(shared.fileno())) == expected


def test_a_store_keeps_rebuilt_episodes(battle):
    _, ring = battle
    assert drawn(ring, DeviceStore(ring.spec, EPISODES, torch.device("cpu"))) == drawn(ring)


@pytest.mark.parametrize("task", SCENARIOS)
def test_every_battle_is_smaller_as_snapshots(task):
    spec = make_env("smax", task=task).spec
    units = spec.state_dim // 12
    assert f"{spec.n_agents} agents, snapshots of {15 * units} bytes)" in describe_memory(spec, 10)
    assert ring_bytes(spec, 10) < ring_bytes(without(spec), 10) / 6


def test_points_without_a_snapshot_are_refused(battle):
    env, ring = battle
    writer, point = ring.writer(), env.reset(0)
    expected = "snapshot: expected 90 bytes, because this ring stores snapshots of smax in place of observations"
    with pytest.raises(ValueError, match=expected), writer.episode() as slot:
        slot.begin(*point)
    obs, avail, state = (np.stack([each] * 2) for each in point)
    with pytest.raises(ValueError, match=expected), writer.episode() as slot:
        slot.write(obs, avail, state, np.full((1, 3), 4), np.zeros(1, np.float32), np.ones(1, np.bool_))
    with pytest.raises(ValueError, match="views: this ring stores snapshots of smax"), writer.episode() as slot:
        slot.views()
    with pytest.raises(ValueError, match="finish: this ring stores snapshots of smax"), writer.episode() as slot:
        slot.finish(1)
    with pytest.raises(ValueError, match=r"snapshot: expected \(90,\) uint8"), writer.episode() as slot:
        slot.begin(*point, env.snapshot()[1:])


class Wrapped:
    """An environment of a user's own that shows another one's spec."""

    def __init__(self, env):
        self.name, self.spec = "mine", env.spec
        self.reset, self.step = env.reset, env.step


def test_an_environment_that_promises_snapshots_must_have_them(battle):
    env, ring = battle
    rollout = Rollout([Wrapped(env)], agent_of(env.spec), 5, Stream.ENVIRONMENT, ring)
    with pytest.raises(EnvError, match="environment mine, episode 0, step 0: snapshot: expected 90 bytes"):
        rollout.play(0, 1, 0.5)


def damaged(battle, at, by):
    env, ring = battle
    point, snapshot = env.reset(0), env.snapshot()
    snapshot[at : at + len(by)] = list(by)
    with pytest.raises(ValueError, match="snapshot: unit 1 is none of smax"), ring.writer().episode() as slot:
        slot.begin(*point, snapshot)


# A snapshot of six units has their places x, y and cooldowns as floats, then health, types and actions as bytes.
@pytest.mark.parametrize("value", [np.nan, 1e8, -np.inf])
@pytest.mark.parametrize("at", [4, 24 + 4, 48 + 4], ids=["x", "y", "cooldown"])
def test_a_snapshot_of_odd_numbers_is_refused(battle, at, value):
    damaged(battle, at, np.float32(value).tobytes())


@pytest.mark.parametrize(("at", "value"), [(72 + 1, 46), (78 + 1, 6), (78 + 1, 255), (84 + 1, 8), (84 + 1, 255)])
def test_a_snapshot_of_an_unknown_unit_is_refused(battle, at, value):
    damaged(battle, at, bytes([value]))


def test_health_that_no_byte_holds_is_refused(battle):
    env, _ = battle
    env.reset(0)
    units = env.native.units()
    units["health"][2] = 0.5
    env.native.set_units(units)
    with pytest.raises(ValueError, match=r"^health: 0\.500000 cannot be stored exactly as uint8"):
        env.snapshot()


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"n_agents": 1000}, "n_agents, n_actions: no battle of smax"),
        ({"n_actions": 5}, "n_agents, n_actions: no battle of smax"),
        ({"n_actions": 67}, "n_agents, n_actions: no battle of smax"),
        ({"state_dim": 71}, "state_dim: no battle of smax"),
        ({"obs_dim": 74}, "obs_dim: not one of the game"),
        ({"obs_dim": 76}, "obs_dim: not one of the game"),
    ],
)
def test_sizes_that_no_battle_has_are_refused(battle, sizes, message):
    with pytest.raises(ValueError, match=message):
        EpisodeRing(dataclasses.replace(battle[0].spec, **sizes), 2)
