"""Types of the compiled module. Private: use pyqmix.ops and pyqmix.EpisodeRing."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__version__: str

TensorRows = tuple[int, int]

def build_info() -> dict[str, Any]: ...

class MixTensors:
    def __init__(
        self,
        *,
        rows: int,
        n_agents: int,
        embed_dim: int,
        agent_qs: TensorRows,
        w1: TensorRows,
        b1: TensorRows,
        w_final: TensorRows,
        v: TensorRows,
    ) -> None: ...

class MixGrads:
    def __init__(self, *, agent_qs: int, w1: int, b1: int, w_final: int, v: int) -> None: ...

class TdTargetTensors:
    def __init__(
        self,
        *,
        n_actions: int,
        next_qs: TensorRows,
        online_next_qs: TensorRows | None,
        avail: TensorRows,
        rewards: TensorRows,
        terminated: TensorRows,
        gamma: float,
        chosen_qs: int,
        y: int,
    ) -> None: ...

def mix_forward_cpu(inputs: MixTensors, q_tot: int, *, is_double: bool, threads: int) -> None: ...
def mix_backward_cpu(
    inputs: MixTensors, grad_q_tot: TensorRows, grads: MixGrads, *, is_double: bool, threads: int
) -> None: ...
def mix_forward_cuda(inputs: MixTensors, q_tot: int, *, is_double: bool, stream: int) -> None: ...
def mix_backward_cuda(
    inputs: MixTensors, grad_q_tot: TensorRows, grads: MixGrads, *, is_double: bool, stream: int
) -> None: ...
def td_target_cpu(mixer: MixTensors, target: TdTargetTensors, *, is_double: bool, threads: int) -> int: ...

class EpisodeSpec:
    def __init__(
        self,
        *,
        n_agents: int,
        n_actions: int,
        obs_dim: int,
        state_dim: int,
        episode_limit: int,
        obs_storage: str,
        state_storage: str,
    ) -> None: ...

def slot_bytes(spec: EpisodeSpec) -> int: ...

class EpisodeRing:
    def __init__(self, spec: EpisodeSpec, capacity: int) -> None: ...
    @property
    def capacity(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    def stats(self) -> dict[str, int]: ...

class EpisodeWriter:
    def __init__(self, ring: EpisodeRing) -> None: ...
    def open(self) -> bool: ...
    def begin(
        self, obs: NDArray[np.float32], avail: NDArray[np.bool_], state: NDArray[np.float32] | None
    ) -> None: ...
    def append(
        self,
        actions: NDArray[np.int64],
        reward: float,
        terminated: bool,
        obs: NDArray[np.float32],
        avail: NDArray[np.bool_],
        state: NDArray[np.float32] | None,
    ) -> None: ...
    def publish(self) -> None: ...
    def abort(self) -> None: ...
    @property
    def steps(self) -> int: ...

class EpisodeSampler:
    def __init__(self, ring: EpisodeRing, seed: int) -> None: ...
    def pin(self, batch_size: int) -> NDArray[np.int64]: ...
    def decode(
        self,
        obs: NDArray[np.float32],
        avail: NDArray[np.bool_],
        state: NDArray[np.float32] | None,
        actions: NDArray[np.int64],
        rewards: NDArray[np.float32],
        terminated: NDArray[np.bool_],
    ) -> None: ...
    def release(self) -> None: ...
