"""The sizes of an environment's episodes, which environment, replay and networks share."""

from __future__ import annotations

from dataclasses import dataclass

from pyqmix import _C

MOST_ACTIONS, LARGEST_SIZE = 1 << 16, (1 << 31) - 1  # an action is stored in two bytes
STORAGE_DTYPES = ("int8", "uint8", "int16", "float32")
SNAPSHOTS = tuple(_C.snapshot_names())


@dataclass(frozen=True)
class EpisodeSpec:
    """Sizes of one episode and how the replay stores it.

    Attributes:
        n_agents: n.
        n_actions: A, of each agent; unavailable ones are masked.
        obs_dim: O, width of one agent's observation.
        state_dim: S, width of the global state.
        episode_limit: the most steps that an episode can have.
        concat_state: the state is the agents' concatenated observations (S = n·O) and is not stored.
        obs_storage: dtype that holds every observation exactly: int8, uint8, int16 or float32.
        state_storage: likewise for the state.
        obs_scale: O factors by which the agent networks multiply observations first; None: they do not.
            Environments show, and the replay stores, observations unscaled.
        state_scale: likewise S factors, by which the mixer multiplies states.
        snapshot: the native game whose snapshots the replay stores in place of observations and states, because
            they take fewer bytes; it rebuilds both, bit for bit, when they are read. None: it stores these.

    Raises:
        ValueError: a size is not a positive integer or is too large, a storage dtype is unknown, or a scale is of
            another size, or no game has snapshots of this name.
    """

    n_agents: int
    n_actions: int
    obs_dim: int
    state_dim: int
    episode_limit: int
    concat_state: bool = False
    obs_storage: str = "float32"
    state_storage: str = "float32"
    obs_scale: tuple[float, ...] | None = None
    state_scale: tuple[float, ...] | None = None
    snapshot: str | None = None

    def __post_init__(self) -> None:
        for name in ("n_agents", "n_actions", "obs_dim", "state_dim", "episode_limit"):
            size = getattr(self, name)
            if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                raise ValueError(f"{name}: expected a positive integer, got {size!r}")
            most = MOST_ACTIONS if name == "n_actions" else LARGEST_SIZE
            if size > most:
                raise ValueError(f"{name}: expected at most {most:,}, got {size:,}")
        for name in ("obs_storage", "state_storage"):
            if getattr(self, name) not in STORAGE_DTYPES:
                expected = ", ".join(STORAGE_DTYPES)
                raise ValueError(f"{name}: expected one of {expected}, got {getattr(self, name)!r}")
        if self.snapshot is not None and self.snapshot not in SNAPSHOTS:
            expected = ", ".join(("None", *SNAPSHOTS))
            raise ValueError(f"snapshot: expected one of {expected}, got {self.snapshot!r}")
        for name, size in (("obs_scale", self.obs_dim), ("state_scale", self.state_dim)):
            scale = getattr(self, name)
            if scale is not None:
                object.__setattr__(self, name, tuple(scale))  # so that a spec can be hashed
            if scale is not None and len(scale) != size:
                raise ValueError(f"{name}: expected {size} factors, got {len(scale)}")
        if self.concat_state and self.state_dim != self.n_agents * self.obs_dim:
            raise ValueError(
                f"state_dim: expected n_agents * obs_dim = {self.n_agents * self.obs_dim} for concatenated "
                f"observations, got {self.state_dim}"
            )


def native_spec(spec: EpisodeSpec) -> _C.EpisodeSpec:
    """Convert a spec to the extension's, in which a state that is not stored has width 0."""
    return _C.EpisodeSpec(
        n_agents=spec.n_agents,
        n_actions=spec.n_actions,
        obs_dim=spec.obs_dim,
        state_dim=0 if spec.concat_state else spec.state_dim,
        episode_limit=spec.episode_limit,
        obs_storage=spec.obs_storage,
        state_storage=spec.state_storage,
        snapshot=spec.snapshot,
    )


def spec_of(native: _C.EpisodeSpec) -> EpisodeSpec:
    """Convert a spec of the extension."""
    return EpisodeSpec(
        n_agents=native.n_agents,
        n_actions=native.n_actions,
        obs_dim=native.obs_dim,
        state_dim=native.state_dim or native.n_agents * native.obs_dim,
        episode_limit=native.episode_limit,
        concat_state=native.state_dim == 0,
        obs_storage=native.obs_storage,
        state_storage=native.state_storage,
        snapshot=native.snapshot,
    )
