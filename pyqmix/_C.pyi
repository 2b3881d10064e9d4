"""Types of the compiled module. Private: use pyqmix.ops and pyqmix.EpisodeRing."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

__version__: str

def build_info() -> dict[str, Any]: ...

MixTensors = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]  # agent_qs, w1, b1, w_final, v: a sample a row

def mix_forward_cpu(inputs: MixTensors, q_tot: Tensor, threads: int) -> None: ...
def mix_backward_cpu(inputs: MixTensors, grad_q_tot: Tensor, grads: MixTensors, threads: int) -> None: ...
def mix_forward_cuda(inputs: MixTensors, q_tot: Tensor, stream: int) -> None: ...
def mix_backward_cuda(inputs: MixTensors, grad_q_tot: Tensor, grads: MixTensors, stream: int) -> None: ...

# next_qs, online_next_qs, avail, rewards, terminated: a sample a row; gamma; to write: chosen_qs, y
TargetTensors = tuple[Tensor, Tensor | None, Tensor, Tensor, Tensor, float, Tensor, Tensor]

class MissingAction:
    def __init__(self) -> None: ...
    def take(self) -> int: ...

def td_target_cpu(mixer: MixTensors, target: TargetTensors, threads: int) -> int: ...
def td_target_cuda(mixer: MixTensors, target: TargetTensors, missing: MissingAction, stream: int) -> None: ...

class Workspace:
    @property
    def nbytes(self) -> int: ...

MixingNetwork = tuple[Tensor, Tensor, list[Tensor]]  # agent_qs and states, a sample a row; parameters

def qmixer_forward_cpu(network: MixingNetwork, q_tot: Tensor, keep: bool, threads: int) -> Workspace | None: ...
def qmixer_backward_cpu(
    network: MixingNetwork,
    kept: Workspace,
    grad_q_tot: Tensor,
    grads: list[Tensor],
    grad_agent_qs: Tensor,
    threads: int,
) -> None: ...
def qmixer_loss_cpu(
    network: MixingNetwork,
    targets: Tensor,
    weights: Tensor,
    q_tot: Tensor,
    grads: list[Tensor],
    grad_agent_qs: Tensor,
    threads: int,
) -> float: ...
def qmixer_td_target_cpu(network: MixingNetwork, target: TargetTensors, threads: int) -> int: ...
def mlp_forward_cpu(
    features: Tensor,
    parameters: list[Tensor],
    one_hot: int,
    final_relu: bool,
    out: Tensor,
    keep: bool,
    threads: int,
) -> Workspace | None: ...
def mlp_backward_cpu(
    features: Tensor,
    parameters: list[Tensor],
    one_hot: int,
    final_relu: bool,
    out: Tensor | None,
    kept: Workspace,
    grad_out: Tensor,
    grads: list[Tensor],
    grad_features: Tensor | None,
    threads: int,
) -> None: ...
def gru_forward_cpu(
    features: Tensor, batch_sizes: list[int], parameters: list[Tensor], hidden: Tensor, keep: bool, threads: int
) -> Workspace | None: ...
def gru_backward_cpu(
    features: Tensor,
    batch_sizes: list[int],
    parameters: list[Tensor],
    hidden: Tensor,
    kept: Workspace,
    grad_hidden: Tensor,
    grads: list[Tensor] | None,
    grad_features: Tensor | None,
    threads: int,
) -> None: ...
def adam_cpu(
    parameters: Tensor,
    gradient: Tensor,
    exp_avg: Tensor,
    exp_avg_sq: Tensor,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    max_norm: float,
) -> float: ...

ADAM_SCRATCH: int

def adam_cuda(
    parameters: Tensor,
    gradient: Tensor,
    exp_avg: Tensor,
    exp_avg_sq: Tensor,
    step: Tensor,
    lr: Tensor,
    beta1: float,
    beta2: float,
    eps: float,
    max_norm: float,
    scratch: Tensor,
    norm: Tensor,
    stream: int,
) -> None: ...
def bias_relu_parts(rows: int, width: int) -> int: ...
def bias_relu_cuda(values: Tensor, bias: Tensor, relu: int, stream: int) -> None: ...
def bias_relu_backward_cuda(
    grad: Tensor, relu: tuple[Tensor, Tensor, int] | None, sums: Tensor, grad_bias: Tensor, stream: int
) -> None: ...

Columns = list[tuple[Tensor, Tensor]]  # to read, (B, K, ...), and to write, (rows, ...)
PaddedColumn = tuple[Tensor | None, Tensor, int, int, int]  # to read; to write; times, first, reach

def pack_episodes(
    lengths: list[int],
    steps_padded: int,
    rows: tuple[Tensor, Tensor, Tensor, Tensor],
    points: Columns,
    next: Columns,
    steps: Columns,
    threads: int,
) -> None: ...
def pad_episodes_cuda(lengths: Tensor, times: int, columns: list[PaddedColumn], stream: int) -> None: ...

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
    point_counts: list[int],
    obs: Tensor,
    states: Tensor,
    now: Tensor,
    next_avail: Tensor,
    actions: Tensor,
    rewards: Tensor,
    terminated: Tensor,
    weights: Tensor,
    online: Tensor,
    target: Tensor,
    gamma: float,
    double_q: bool,
    gradients: Tensor,
    q_tot: Tensor,
    targets: Tensor,
    threads: int,
) -> tuple[float, int]: ...

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
        snapshot: str | None = ...,
    ) -> None: ...
    n_agents: int
    n_actions: int
    obs_dim: int
    state_dim: int
    episode_limit: int
    obs_storage: str
    state_storage: str
    snapshot: str | None
    snapshot_bytes: int

def snapshot_names() -> list[str]: ...
def ring_bytes(spec: EpisodeSpec, capacity: int) -> int: ...

class EpisodeRing:
    spec: EpisodeSpec
    capacity: int
    tickets: int
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
    nbytes: int
    checksum: int

def verify_ring_file(path: str) -> RingFileInfo: ...
def write_ring_file(ring: EpisodeRing, path: str, first: int, end: int) -> RingFileInfo: ...
def require_whole_ring(files: list[RingFileInfo]) -> None: ...
def restore_ring(ring: EpisodeRing, files: list[RingFileInfo]) -> None: ...

class EpisodeWriter:
    def __init__(self, ring: EpisodeRing) -> None: ...
    def open(self, ticket: int | None = ...) -> bool: ...
    def begin(
        self,
        obs: NDArray[np.float32],
        avail: NDArray[np.bool_],
        state: NDArray[np.float32] | None,
        snapshot: NDArray[np.uint8] | None = ...,
    ) -> None: ...
    def append(
        self,
        actions: NDArray[np.int64],
        reward: float,
        terminated: bool,
        obs: NDArray[np.float32],
        avail: NDArray[np.bool_],
        state: NDArray[np.float32] | None,
        snapshot: NDArray[np.uint8] | None = ...,
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
    def state(self) -> dict[str, NDArray[Any]]: ...
    def load_state(self, state: dict[str, NDArray[Any]]) -> None: ...

class EpisodeSampler(PinnedBatch):
    def __init__(self, ring: EpisodeRing, seed: int) -> None: ...

class PrioritisedSampler(PinnedBatch):
    def __init__(self, ring: EpisodeRing, seed: int, alpha: float) -> None: ...
    def drawn(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]: ...
    def set_errors(self, places: NDArray[np.int64], errors: NDArray[np.float64]) -> None: ...

def pack_slots(ring: EpisodeRing, ticket: int, episode: int, count: int) -> NDArray[np.uint8]: ...

class EpisodeReceiver:
    def __init__(self, ring: EpisodeRing) -> None: ...
    def expect(self, first: int, count: int, ticket: int) -> None: ...
    def receive(self, packed: NDArray[np.uint8]) -> bool: ...
    def missing(self) -> list[int]: ...

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

class NativeEnv:
    spec: EpisodeSpec
    reward: float
    terminated: bool
    truncated: bool
    reports_wins: bool
    won: bool | None
    obs_scale: list[float]
    state_scale: list[float]
    def start(self, seed: int) -> None: ...
    def step(self, actions: NDArray[np.int64]) -> None: ...
    def observation(self) -> NDArray[np.float32]: ...
    def state(self) -> NDArray[np.float32]: ...
    def avail(self) -> NDArray[np.bool_]: ...
    def snapshot(self) -> NDArray[np.uint8] | None: ...
    def rewards(self) -> list[float]: ...

class LbfEnv(NativeEnv):
    food: list[tuple[int, int, int]]
    players: list[tuple[int, int, int]]
    steps: int
    def __init__(
        self,
        rules: LbfRules,
        *,
        truncate_at_limit: bool = ...,
        action_mask: bool = ...,
        global_state: bool = ...,
        team_reward: str = ...,
        positions: str = ...,
        nearest_first: bool = ...,
        last_action: bool = ...,
    ) -> None: ...
    def seed(self, seed: int) -> None: ...
    def reset(self) -> None: ...

def smax_scenarios() -> list[str]: ...

class SmaxEnv(NativeEnv):
    n_allies: int
    n_enemies: int
    n_units: int
    steps: int
    def __init__(
        self,
        scenario: str,
        *,
        episode_limit: int = ...,
        truncate_at_limit: bool = ...,
        global_state: bool = ...,
        last_action: bool = ...,
    ) -> None: ...
    def reset(self, key: tuple[int, int]) -> None: ...
    def step_with(self, key: tuple[int, int], actions: NDArray[np.int64]) -> None: ...
    def heuristic_actions(self, key: tuple[int, int]) -> NDArray[np.int64]: ...
    # Of all N units, allies first: positions (N, 2) float32 in cells, health (N,) float32, types (N,) uint8,
    # cooldowns (N,) float32 in seconds, actions (N,) uint8 of the last step; of the M enemies: targets (M,) int32,
    # an ally in the enemies' numbering or -1, and default_targets (M, 2) float32.
    def units(self) -> dict[str, NDArray[Any]]: ...
    def set_units(self, units: dict[str, NDArray[Any]]) -> None: ...

class TwoStepEnv(NativeEnv):
    def __init__(self, *, last_action: bool = ...) -> None: ...

class MatrixEnv(NativeEnv):
    def __init__(self, *, sizes: list[int], payoffs: list[float], last_action: bool = ...) -> None: ...

class NativeBatch:
    def __init__(self, env: NativeEnv, count: int, individual_rewards: bool = ...) -> None: ...
    def seed(self, seed: int) -> None: ...
    def reset(
        self,
        obs: NDArray[np.float32],
        avail: NDArray[np.bool_],
        state: NDArray[np.float32] | None,
        mask: NDArray[np.bool_] | None = ...,
        seeds: Sequence[int | None] = ...,
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
        won: NDArray[np.bool_] | None,
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

class Rollout:
    def __init__(
        self, *, env: NativeEnv, policy: Policy, seed: int, stream: int, ring: EpisodeRing | None
    ) -> None: ...
    threads_used: int
    def play(
        self, weights: NDArray[np.float32], *, first: int, count: int, epsilon: float, threads: int, lanes: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_] | None]: ...
