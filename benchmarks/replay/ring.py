"""How fast is the ring, beside a copy of the same bytes and other replay buffers?

Publishing and sampling whole episodes of two sizes on one core; the bytes of 5,000 episodes; publishing from C++,
also by several threads. Every buffer is asked for the same fields of the same episodes.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import harness
import numpy as np
import torch
from cpprb import ReplayBuffer as CppBuffer
from tensordict import TensorDict
from torchrl.data import LazyTensorStorage
from torchrl.data import ReplayBuffer as TorchBuffer

from pyqmix import EpisodeRing
from pyqmix.base.spec import EpisodeSpec
from pyqmix.envs import LbfEnv
from pyqmix.replay import EpisodeBatch, ring_bytes

MiB = 1 << 20
BATCH = 32
LBF = EpisodeSpec(2, 6, 15, 30, 51, concat_state=True, obs_storage="int8")
MMM2 = EpisodeSpec(10, 18, 176, 322, 121)
ROOT = Path(__file__).resolve().parents[2]
Arrays = dict[str, np.ndarray[Any, Any]]


def make_episode(spec: EpisodeSpec, seed: int) -> Arrays:
    """One episode of full length, in the types of a batch."""
    random = np.random.default_rng(seed)
    steps, n = spec.episode_limit, spec.n_agents
    episode = {
        "obs": random.integers(-1, 9, (steps + 1, n, spec.obs_dim)).astype(np.float32),
        "avail": random.random((steps + 1, n, spec.n_actions)) < 0.7,
        "actions": random.integers(0, spec.n_actions, (steps, n)),
        "rewards": random.random(steps, np.float32),
        "terminated": np.zeros(steps, np.bool_),
    }
    if not spec.concat_state:
        episode["states"] = random.random((steps + 1, spec.state_dim), np.float32)
    return episode


class Ours:
    """The ring; sampling into memory that is used again."""

    def __init__(self, spec: EpisodeSpec, capacity: int) -> None:
        self.ring = EpisodeRing(spec, capacity, shared=True)
        self.writer, self.sampler = self.ring.writer(), self.ring.sampler(0)
        self.out = EpisodeBatch.empty(spec, BATCH)

    def add(self, episode: Arrays) -> None:
        """Publish an episode."""
        with self.writer.episode() as slot:
            slot.write(
                episode["obs"],
                episode["avail"],
                episode.get("states"),
                episode["actions"],
                episode["rewards"],
                episode["terminated"],
            )

    def sample(self) -> Any:
        """Sample a batch."""
        return vars(self.sampler.sample(BATCH, out=self.out))


class Copy:
    """The floor: the same bytes into a buffer of whole episodes, and a batch's bytes out of it in one piece."""

    def __init__(self, spec: EpisodeSpec, capacity: int) -> None:
        example = make_episode(spec, 0)
        self.fields = {name: np.zeros((capacity, *value.shape), value.dtype) for name, value in example.items()}
        self.row = sum(value.nbytes for value in example.values())
        self.source = np.ones(capacity * self.row, np.uint8)
        self.out = np.ones(BATCH * self.row, np.uint8)
        self.capacity, self.at, self.random = capacity, 0, np.random.default_rng(0)

    def add(self, episode: Arrays) -> None:
        """Copy an episode in."""
        for name, value in episode.items():
            np.copyto(self.fields[name][self.at], value)
        self.at = (self.at + 1) % self.capacity

    def sample(self) -> Any:
        """Copy a batch's bytes from anywhere."""
        start = int(self.random.integers(self.capacity - BATCH)) * self.row
        np.copyto(self.out, self.source[start : start + len(self.out)])


class DictOfTensors:
    """A buffer of EPyMARL's shape: a tensor for each field, with one row for each episode."""

    def __init__(self, spec: EpisodeSpec, capacity: int) -> None:
        example = make_episode(spec, 0)
        self.fields = {
            name: torch.zeros(capacity, *value.shape, dtype=torch.from_numpy(value).dtype)
            for name, value in example.items()
        }
        self.capacity, self.at, self.random = capacity, 0, np.random.default_rng(0)

    def add(self, episode: Arrays) -> None:
        """Store an episode as EPyMARL does: each field as a tensor, into a slice of its row."""
        for name, value in episode.items():
            tensor = torch.as_tensor(value)
            target = self.fields[name][slice(self.at, self.at + 1), slice(0, len(value))]
            target.copy_(tensor.view_as(target))
        self.at = (self.at + 1) % self.capacity

    def sample(self) -> Any:
        """Index every field."""
        rows = self.random.choice(self.capacity, BATCH, replace=False)
        return {name: field[rows] for name, field in self.fields.items()}


class TorchRl:
    """TorchRL's LazyTensorStorage, one element for each episode."""

    def __init__(self, spec: EpisodeSpec, capacity: int) -> None:
        self.buffer = TorchBuffer(storage=LazyTensorStorage(capacity), batch_size=BATCH)

    def add(self, episode: Arrays) -> None:
        """Add an episode."""
        self.buffer.add(TensorDict({name: torch.from_numpy(value) for name, value in episode.items()}))

    def sample(self) -> Any:
        """Sample a batch."""
        return self.buffer.sample()


class Cpprb:
    """cpprb's ReplayBuffer, one element for each episode."""

    def __init__(self, spec: EpisodeSpec, capacity: int) -> None:
        fields = {k: {"shape": v.shape, "dtype": v.dtype} for k, v in make_episode(spec, 0).items()}
        self.buffer = CppBuffer(capacity, fields)

    def add(self, episode: Arrays) -> None:
        """Add an episode."""
        self.buffer.add(**episode)

    def sample(self) -> Any:
        """Sample a batch."""
        return self.buffer.sample(BATCH)


CANDIDATES: dict[str, Callable[[EpisodeSpec, int], Any]] = {
    "ring": Ours,
    "memcpy": Copy,
    "cpprb": Cpprb,
    "dict of tensors": DictOfTensors,
    "TorchRL": TorchRl,
}


def check_equal(spec: EpisodeSpec) -> None:
    """Require that the ring gives back what was written."""
    ours = Ours(spec, BATCH)
    episodes = [make_episode(spec, seed) for seed in range(BATCH)]
    for episode in episodes:
        ours.add(episode)
    batch = ours.sample()
    by_reward = {float(e["rewards"][0]): e for e in episodes}
    assert len(by_reward) == BATCH
    for b in range(BATCH):
        for name, value in by_reward.pop(float(batch["rewards"][b, 0])).items():
            np.testing.assert_array_equal(batch[name][b].numpy(), value)


def compare(spec: EpisodeSpec, capacity: int, adds: int) -> tuple[list[list[str]], dict[str, Any]]:
    """Time publishing and sampling."""
    check_equal(spec)
    episodes = [make_episode(spec, seed) for seed in range(8)]
    buffers = {name: make(spec, capacity) for name, make in CANDIDATES.items()}
    for buffer in buffers.values():
        for k in range(capacity):
            buffer.add(episodes[k % 8])

    def publishing(buffer: Any) -> Callable[[], None]:
        def run() -> None:
            for k in range(adds):
                buffer.add(episodes[k % 8])

        return run

    added = harness.interleave({name: publishing(buffer) for name, buffer in buffers.items()}, 40)
    sampled = harness.interleave({name: buffer.sample for name, buffer in buffers.items()}, 40)
    rows = [
        [
            name,
            f"{adds / added[name].median * 1e3:,.0f}",
            f"{harness.ratio(added['memcpy'], added[name]):.2f}",
            f"{sampled[name].median:.3f} ({sampled[name].spread[0]:.3f}-{sampled[name].spread[1]:.3f})",
            f"{harness.ratio(sampled['memcpy'], sampled[name]):.2f}",
        ]
        for name in buffers
    ]
    data = {
        name: {
            "episodes_per_second": adds / added[name].median * 1e3,
            "publish_over_memcpy": harness.ratio(added["memcpy"], added[name]),
            "sample_ms": sampled[name].median,
            "sample_over_memcpy": harness.ratio(sampled["memcpy"], sampled[name]),
            "publish_seconds": added[name].seconds,
            "sample_seconds": sampled[name].seconds,
        }
        for name in buffers
    }
    return rows, data


def from_cpp(repeats: int = 5) -> dict[str, float]:
    """Compile and run the native side; the median of some runs."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "ring_native"
        core = ROOT / "csrc"
        codec = core / "episode" / "episode_codec_cpu.cpp"
        options = [
            "-std=gnu++20",
            "-O3",
            "-DNDEBUG",
            "-fno-math-errno",
            "-fno-trapping-math",
            "-pthread",
            f"-I{core}",
        ]
        objects = []
        levels = {"baseline": [], "avx2": ["-mavx2", "-mfma"], "avx512": _AVX512}
        for level, flags in levels.items():
            objects.append(f"{folder}/{level}.o")
            define = f"-DPYQMIX_SIMD_NAMESPACE={level}"
            subprocess.run(["g++", *options, *flags, define, "-c", str(codec), "-o", objects[-1]], check=True)
        others = (p for folder in ("base", "episode", "replay") for p in sorted((core / folder).glob("*.cpp")))
        sources = [
            *(str(path) for path in others if path != codec),
            str(Path(__file__).with_suffix("")) + "_native.cpp",
            *objects,
        ]
        subprocess.run(["g++", *options, "-DPYQMIX_X86_LEVELS", *sources, "-o", str(program)], check=True)
        runs = [json.loads(subprocess.check_output([str(program)])) for _ in range(repeats)]
    return {name: float(np.median([run[name] for run in runs])) for name in runs[0]}


_AVX512 = [f"-mavx512{part}" for part in ("f", "dq", "bw", "vl")] + ["-mfma", "-mprefer-vector-width=512"]


def main() -> None:
    """Measure all of it."""
    torch.set_num_threads(1)
    header = ["", "publish, episodes/s", "of memcpy", f"sample {BATCH}, ms", "of memcpy"]
    text, data = "", {}
    for name, spec, capacity, adds in (("LBF", LBF, 5_000, 100), ("MMM2", MMM2, 100, 2)):
        rows, data[name] = compare(spec, capacity, adds)
        shape = f"{spec.episode_limit} steps x {spec.n_agents} agents x {spec.obs_dim}"
        text += f"{name} size ({shape}), from Python, one core; speeds are over memcpy's of the same bytes:\n\n"
        text += harness.table(header, rows) + "\n"
    native = data["C++"] = from_cpp()
    text += (
        f"From C++, LBF size, float32 in: {native['publish']:,.0f} episodes/s published; memcpy of the same bytes "
        f"{native['memcpy']:,.0f}. By 1, 2 and 4 threads: {native['1']:,.0f}, {native['2']:,.0f}, "
        f"{native['4']:,.0f}.\n\nBytes of 5,000 episodes:\n\n"
    )
    sizes = []
    for task in ("Foraging-8x8-2p-2f-v3", "Foraging-15x15-4p-5f-v3"):
        spec = LbfEnv(task).spec
        floats = 5_000 * sum(value.nbytes for value in make_episode(spec, 0).values())
        data[task] = {"bytes": ring_bytes(spec, 5_000), "decoded_bytes": floats}
        sizes.append([task, f"{ring_bytes(spec, 5_000) / MiB:.1f}", f"{floats / MiB:.1f}"])
    text += harness.table(["task", "ring, MiB", "as in a batch, MiB"], sizes)
    harness.report("ring", text, data, "python benchmarks ring")


if __name__ == "__main__":
    main()
