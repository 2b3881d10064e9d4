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
def mix_forward_cuda(inputs: MixTensors, q_tot: int, *, element_size: int, stream: int) -> None: ...
def mix_backward_cuda(
    inputs: MixTensors, grad_q_tot: TensorRows, grads: MixGrads, *, element_size: int, stream: int
) -> None: ...
def td_target_cpu(mixer: MixTensors, target: TdTargetTensors, *, is_double: bool, threads: int) -> int: ...

class MissingAction:
    def __init__(self) -> None: ...
    def take(self) -> int: ...

def td_target_cuda(
    mixer: MixTensors, target: TdTargetTensors, missing: MissingAction, *, element_size: int, stream: int
) -> None: ...

class Workspace:
    nbytes: int

class QMixerTensors:
    def __init__(
        self,
        *,
        rows: int,
        n_agents: int,
        state_dim: int,
        embed_dim: int,
        hypernet_dim: int,
        agent_qs: TensorRows,
        states: TensorRows,
        parameters: list[int],
    ) -> None: ...
    def activations(self, is_double: bool) -> Workspace: ...

def qmixer_forward_cpu(
    inputs: QMixerTensors, q_tot: int, saved: Workspace | None, *, is_double: bool, threads: int
) -> None: ...
def qmixer_backward_cpu(
    inputs: QMixerTensors,
    saved: Workspace,
    grad_q_tot: TensorRows,
    grads: list[int],
    grad_agent_qs: int,
    *,
    is_double: bool,
    threads: int,
) -> None: ...
def qmixer_loss_cpu(
    inputs: QMixerTensors,
    *,
    targets: int,
    weights: int,
    q_tot: int,
    grads: list[int],
    grad_agent_qs: int,
    is_double: bool,
    threads: int,
) -> float: ...
def qmixer_td_target_cpu(
    inputs: QMixerTensors, target: TdTargetTensors, *, is_double: bool, threads: int
) -> int: ...

class MlpTensors:
    def __init__(
        self,
        *,
        groups: int,
        input_dim: int,
        one_hot: int,
        sizes: list[int],
        rows: int,
        features: TensorRows,
        parameters: list[int],
    ) -> None: ...
    def activations(self, is_double: bool) -> Workspace: ...

def mlp_forward_cpu(
    inputs: MlpTensors, out: int, saved: Workspace | None, *, is_double: bool, threads: int
) -> None: ...
def mlp_backward_cpu(
    inputs: MlpTensors,
    saved: Workspace,
    grad_out: TensorRows,
    grads: list[int],
    *,
    is_double: bool,
    threads: int,
) -> None: ...

Columns = list[tuple[int, int, int]]  # address to read, address to write, bytes of a row

def pack_episodes(
    lengths: list[int],
    steps_padded: int,
    rows: tuple[int, int, int, int],
    points: Columns,
    next: Columns,
    steps: Columns,
    threads: int,
) -> None: ...

class NetworkSpec:
    def __init__(
        self,
        *,
        n_agents: int,
        obs_dim: int,
        n_actions: int,
        agent: str,
        hidden_dims: list[int],
        agent_id: bool,
        share_parameters: bool,
        obs_scale: list[float],
        state_dim: int,
        embed_dim: int,
        hypernet_dim: int,
    ) -> None: ...
    @property
    def parameters(self) -> int: ...

def qmix_gradients_cpu(
    spec: NetworkSpec,
    *,
    points: int,
    steps: int,
    point_counts: list[int],
    obs: int,
    states: TensorRows,
    now: int,
    next_avail: int,
    actions: int,
    rewards: int,
    terminated: int,
    weights: int,
    online: int,
    target: int,
    gamma: float,
    double_q: bool,
    gradients: int,
    q_tot: int,
    targets: int,
    is_double: bool,
    threads: int,
) -> tuple[float, int]: ...
def adam_cpu(
    *,
    size: int,
    parameters: int,
    gradient: int,
    exp_avg: int,
    exp_avg_sq: int,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    max_norm: float,
    is_double: bool,
) -> float: ...

ADAM_SCRATCH: int

def adam_cuda(
    *,
    size: int,
    parameters: int,
    gradient: int,
    exp_avg: int,
    exp_avg_sq: int,
    step: int,
    lr: int,
    beta1: float,
    beta2: float,
    eps: float,
    max_norm: float,
    scratch: int,
    norm: int,
    is_double: bool,
    stream: int,
) -> None: ...
def bias_relu_parts(rows: int, width: int) -> int: ...
def bias_relu_cuda(
    *, rows: int, width: int, values: TensorRows, bias: int, relu: int, is_double: bool, stream: int
) -> None: ...
def bias_relu_backward_cuda(
    *,
    rows: int,
    width: int,
    grad: TensorRows,
    relu: tuple[TensorRows, TensorRows, int] | None,
    parts: int,
    sums: int,
    grad_bias: int,
    is_double: bool,
    stream: int,
) -> None: ...
def pad_episodes_cuda(
    *,
    episodes: int,
    times: int,
    lengths: int,
    columns: list[tuple[int, int, int, int, int, int, int]],
    stream: int,
) -> None: ...

class GruTensors:
    def __init__(
        self,
        *,
        groups: int,
        input_dim: int,
        hidden_dim: int,
        batch_sizes: list[int],
        rows: int,
        features: TensorRows,
        parameters: list[int],
    ) -> None: ...
    def gates(self, is_double: bool) -> Workspace: ...

def gru_forward_cpu(
    inputs: GruTensors, hidden: int, saved: Workspace | None, *, is_double: bool, threads: int
) -> None: ...
def gru_backward_cpu(
    inputs: GruTensors,
    hidden: int,
    saved: Workspace,
    grad_hidden: TensorRows,
    grads: list[int],
    grad_features: int,
    *,
    is_double: bool,
    threads: int,
) -> None: ...

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
    n_agents: int
    n_actions: int
    obs_dim: int
    state_dim: int
    episode_limit: int
    obs_storage: str
    state_storage: str

def ring_bytes(spec: EpisodeSpec, capacity: int) -> int: ...

class EpisodeRing:
    spec: EpisodeSpec
    capacity: int
    nbytes: int
    fd: int
    def __init__(self, spec: EpisodeSpec, capacity: int, shared: bool = ...) -> None: ...
    @staticmethod
    def attach(fd: int) -> EpisodeRing: ...
    def reserve(self, count: int) -> int: ...
    def __len__(self) -> int: ...
    def stats(self) -> dict[str, int]: ...

class RingFileError(ValueError): ...

class RingFileInfo:
    spec: EpisodeSpec
    capacity: int
    episodes: int

def verify_ring_file(path: str) -> RingFileInfo: ...
def save_ring(ring: EpisodeRing, path: str) -> int: ...
def load_ring(ring: EpisodeRing, path: str, info: RingFileInfo) -> None: ...

class EpisodeWriter:
    def __init__(self, ring: EpisodeRing) -> None: ...
    def open(self, ticket: int | None = ...) -> bool: ...
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
    def write(
        self,
        obs: NDArray[np.float32],
        avail: NDArray[np.bool_],
        state: NDArray[np.float32] | None,
        actions: NDArray[np.int64],
        rewards: NDArray[np.float32],
        terminated: NDArray[np.bool_],
    ) -> None: ...
    def views(self) -> dict[str, NDArray[Any]]: ...
    def finish(self, steps: int) -> None: ...
    def publish(self) -> None: ...
    def abort(self) -> None: ...
    @property
    def steps(self) -> int: ...

class PinnedBatch:
    def pin(self, batch_size: int) -> NDArray[np.int64]: ...
    def decode(
        self,
        obs: NDArray[np.float32],
        avail: NDArray[np.bool_],
        state: NDArray[np.float32] | None,
        actions: NDArray[np.int64],
        rewards: NDArray[np.float32],
        terminated: NDArray[np.bool_],
        rows: NDArray[np.int64] | None = None,
    ) -> None: ...
    def places(self) -> NDArray[np.int64]: ...
    def release(self) -> None: ...

class EpisodeSampler(PinnedBatch):
    def __init__(self, ring: EpisodeRing, seed: int) -> None: ...

class PrioritisedSampler(PinnedBatch):
    def __init__(self, ring: EpisodeRing, seed: int, alpha: float) -> None: ...
    def drawn(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]: ...
    def set_errors(self, places: NDArray[np.int64], errors: NDArray[np.float64]) -> None: ...

class EpisodeTransfer:
    def __init__(self, source: EpisodeRing, target: EpisodeRing) -> None: ...
    def copy(self, first: int, count: int) -> int: ...

class LbfRules:
    rows: int
    cols: int
    max_num_food: int
    sight: int
    min_player_level: list[int]
    max_player_level: list[int]
    min_food_level: list[int]
    max_food_level: list[int] | None
    force_coop: bool
    normalize_reward: bool
    grid_observation: bool
    observe_agent_levels: bool
    penalty: float
    max_episode_steps: int
    players: int
    highest_food_level: int
    def __init__(
        self,
        *,
        rows: int,
        cols: int,
        max_num_food: int,
        sight: int,
        min_player_level: list[int],
        max_player_level: list[int],
        min_food_level: list[int],
        max_food_level: list[int] | None,
        force_coop: bool,
        normalize_reward: bool,
        grid_observation: bool,
        observe_agent_levels: bool,
        penalty: float,
        max_episode_steps: int,
    ) -> None: ...

def parse_lbf_task(name: str) -> LbfRules: ...

class LbfEnv:
    food: list[tuple[int, int, int]]
    players: list[tuple[int, int, int]]
    reward: float
    ended: bool
    terminated: bool
    truncated: bool
    steps: int
    obs_dim: int
    state_dim: int
    obs_scale: list[float]
    state_scale: list[float]
    storage: str
    def __init__(
        self,
        rules: LbfRules,
        *,
        truncate_at_limit: bool = ...,
        action_mask: bool = ...,
        global_state: bool = ...,
        team_reward: str = ...,
        positions: str = ...,
        last_action: bool = ...,
    ) -> None: ...
    def seed(self, seed: int) -> None: ...
    def reset(self) -> None: ...
    def start(self, seed: int) -> None: ...
    def step(self, actions: NDArray[np.int64]) -> None: ...
    def observation(self) -> NDArray[np.float32]: ...
    def state(self) -> NDArray[np.float32]: ...
    def avail(self) -> NDArray[np.bool_]: ...
    def rewards(self) -> list[float]: ...

class LbfBatch:
    def __init__(self, env: LbfEnv, count: int) -> None: ...
    def seed(self, seed: int) -> None: ...
    def reset(
        self, obs: NDArray[np.float32], avail: NDArray[np.bool_], state: NDArray[np.float32] | None
    ) -> None: ...
    def step(
        self,
        actions: NDArray[np.int64],
        obs: NDArray[np.float32],
        avail: NDArray[np.bool_],
        state: NDArray[np.float32] | None,
        rewards: NDArray[np.float64],
        terminated: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
    ) -> None: ...

class RingBusyError(RuntimeError): ...
class EpisodeError(RuntimeError): ...

class Policy:
    weights: int
    def __init__(self, spec: NetworkSpec) -> None: ...
    def load(self, weights: NDArray[np.float32]) -> None: ...
    def values(
        self, obs: NDArray[np.float32], hidden: NDArray[np.float32] | None = ...
    ) -> NDArray[np.float32]: ...

class LbfRollout:
    def __init__(
        self, *, env: LbfEnv, policy: Policy, seed: int, stream: int, ring: EpisodeRing | None
    ) -> None: ...
    threads_used: int
    def play(
        self, weights: NDArray[np.float32], *, first: int, count: int, epsilon: float, threads: int, lanes: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]: ...
