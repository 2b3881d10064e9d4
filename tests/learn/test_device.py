"""Where a run trains, and where its batches are gathered."""

import dataclasses

import numpy as np
import pytest
import torch
from ring_episodes import SPEC, fill, number_episode

from pyqmix import Config, EpisodeRing, train
from pyqmix.base.errors import ConfigError
from pyqmix.base.free_memory import Free
from pyqmix.envs import make_env
from pyqmix.learn import device
from pyqmix.replay import EpisodeBatch
from pyqmix.replay.device_store import DeviceStore, store_bytes
from pyqmix.replay.prioritised import PrioritisedSampler

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
STEPS = torch.linspace(1.0, 0.5, 16)


def resolve(**options):
    config = Config(env="two_step", batch_size=4, **options)
    return device.resolve_device(config, make_env("two_step").spec)


@pytest.fixture
def with_gpu(monkeypatch):
    """A machine whose GPU takes so many seconds for a training step, and so loses."""

    def install(seconds, losses=STEPS):
        monkeypatch.setattr(device, "_no_gpu", lambda: "")
        monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
        trials = {CPU: device.Trial(0.004, STEPS), GPU: device.Trial(seconds, losses)}

        def try_out(config, spec, where):
            if isinstance(trials[where].seconds, Exception):
                raise trials[where].seconds
            return trials[where]

        monkeypatch.setattr(device, "try_out", try_out)

    return install


def test_auto_is_the_cpu_where_there_is_no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve() == (CPU, "trains on cpu: torch finds no GPU")
    with pytest.raises(
        ConfigError, match="device: expected a device that can be used, got 'cuda', but torch finds"
    ):
        resolve(device="cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(device, "build_info", lambda: {"cuda": None})
    assert resolve()[1].startswith("trains on cpu: this build of pyqmix has no CUDA kernels")


def test_auto_takes_the_faster_device(with_gpu):
    with_gpu(0.001)
    assert resolve() == (GPU, "trains on cuda: a training step takes 4.00 ms on the CPU, 1.00 on the GPU")
    with_gpu(0.005)
    assert resolve() == (CPU, "trains on cpu: a training step takes 4.00 ms on the CPU, 5.00 on the GPU")
    assert resolve(device="cuda") == (GPU, "trains on cuda: as asked for")


def test_auto_takes_no_gpu_that_fails_or_learns_something_else(with_gpu):
    with_gpu(0.001, STEPS * 1.2)
    where, reason = resolve()
    assert where == CPU
    assert "the GPU failed at these training steps: Tensor-likes are not close" in reason
    with_gpu(RuntimeError("CUDA error: no kernel image"))
    assert resolve() == (CPU, "trains on cpu: the GPU failed at these training steps: CUDA error: no kernel image")


@pytest.mark.parametrize("options", [{}, {"agent": "gru", "prioritised": True}, {"batch_transitions": 8}])
def test_a_trial_trains(options):
    config = Config(env="two_step", batch_size=4, lr=1e-2, **options)
    trial = device.try_out(config, make_env("two_step").spec, CPU)
    assert trial.seconds > 0
    assert trial.losses[-1] < trial.losses[0]


def test_batches_gathered_on_a_gpu_need_one_that_trains(with_gpu):
    with_gpu(0.005)
    with pytest.raises(
        ConfigError, match=r"replay_device: expected cpu, because the CPU trains \(a training step"
    ):
        resolve(replay_device="cuda")
    with_gpu(0.001)
    assert resolve(replay_device="cuda")[0] == GPU


def test_a_run_says_where_it_trains(tiny_config, tmp_path, capsys):
    result = train(tiny_config(run_dir=str(tmp_path / "run"), device="cpu"))
    assert result.summary["device"] == "cpu"
    assert "trains on cpu: as asked for" in capsys.readouterr().out


def publish(ring, numbers):
    writer = ring.writer()
    for number in numbers:
        with writer.episode() as slot:
            fill(slot, number_episode(number, length=1 + number % SPEC.episode_limit))


def assert_same_episodes(a, b):
    assert torch.equal(a.lengths, b.lengths)
    for name, value in a.tensors().items():
        for episode, length in enumerate(a.lengths.tolist()):
            width = length + (name in ("obs", "avail", "states"))
            if name != "lengths":
                assert torch.equal(value[episode, :width], getattr(b, name)[episode, :width]), name


@pytest.mark.parametrize("prioritised", [False, True])
def test_a_store_gives_the_batches_of_the_ring_and_fetches_each_episode_once(prioritised):
    ring = EpisodeRing(SPEC, 12)
    store = DeviceStore(SPEC, ring.capacity, CPU)
    if prioritised:
        plain, kept = PrioritisedSampler(ring, 3, 0.6), PrioritisedSampler(ring, 3, 0.6, store)
    else:
        plain, kept = ring.sampler(3), ring.sampler(3, store)
    publish(ring, range(9))
    for first in range(9, 60):
        a, b = plain.sample(6), kept.sample(6)
        assert_same_episodes(a, b)
        if prioritised:
            for sampler in (plain, kept):
                sampler.learn(torch.arange(6.0))
        publish(ring, [first])
    seen = store.fetched
    assert 20 < seen <= 60
    for _ in range(40):
        kept.sample(6)
    assert store.fetched <= seen + 12


def test_a_store_notices_that_a_slot_was_overwritten():
    ring = EpisodeRing(SPEC, 4)
    sampler = ring.sampler(0, DeviceStore(SPEC, 4, CPU))
    publish(ring, range(4))
    assert set(sampler.sample(3).rewards[:, 0].int().tolist()) <= set(range(4))
    publish(ring, range(10, 14))
    assert set(sampler.sample(3).rewards[:, 0].int().tolist()) <= set(range(10, 14))


def test_a_stores_size_is_that_of_its_tensors(monkeypatch):
    batch = EpisodeBatch.empty(SPEC, 7)
    assert store_bytes(SPEC, 7) == sum(x.numel() * x.element_size() for x in batch.tensors().values())
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda where: (1 << 20, 1 << 30))
    needed = store_bytes(SPEC, 10_000)
    message = f"replay_device: 10,000 episodes x {needed // 10_000} bytes = .* MiB, but 1.0 MiB of the GPU"
    with pytest.raises(MemoryError, match=message):
        DeviceStore(SPEC, 10_000, GPU)


def test_rows_of_a_pinned_batch_are_checked():
    ring = EpisodeRing(SPEC, 4)
    publish(ring, range(3))
    sampler = ring.sampler(0)._sampler
    sampler.pin(2)
    arrays = EpisodeBatch.empty(SPEC, 1, 3)
    shown = [getattr(arrays, n).numpy() for n in ("obs", "avail", "states", "actions", "rewards", "terminated")]
    with pytest.raises(ValueError, match="rows: expected some of the batch's 2, got 2"):
        sampler.decode(*shown, rows=np.array([2]))
    sampler.release()


def test_a_trial_takes_a_part_of_the_free_memory(monkeypatch):
    """A batch of episodes of a high step limit may be larger than all memory, but no episode is that long."""
    config = Config(env="two_step", batch_size=4, buffer_size=16, hidden_dim=8, embed_dim=4, hypernet_dim=8)
    spec = dataclasses.replace(make_env("two_step").spec, episode_limit=10**9)
    tried, full_batch = [], device._full_batch
    monkeypatch.setattr(device, "free_memory", lambda: Free(8 * store_bytes(spec, 4) // 10**8))
    monkeypatch.setattr(
        device, "_full_batch", lambda spec, *a, **k: tried.append(spec) or full_batch(spec, *a, **k)
    )
    assert device.try_out(config, spec, CPU, limit=0.0).seconds > 0
    (of_trial,) = tried
    assert of_trial.episode_limit in (9, 10)
    monkeypatch.setattr(device, "free_memory", lambda: Free(0))
    assert device._tried(spec, 4).episode_limit == 1
