"""Every value that a run uses, checked when it is set."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from tyro.constructors import PrimitiveConstructorSpec

from pyqmix.base.errors import ConfigError
from pyqmix.config.checks import CHOICES, check_each, require_number
from pyqmix.envs import EnvOptions

FULL_EXPLORATION_ENVS = ("two_step", "matrix")
_JSON = PrimitiveConstructorSpec[Any](
    nargs=1,
    metavar="JSON",
    instance_from_str=lambda args: _read_json(args[0]),
    is_instance=lambda value: True,
    str_from_instance=lambda value: [json.dumps(value)],
)


def _read_json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text  # which the environment refuses as it does any other payoff that is none


def _metavar(name: str) -> Any:
    return tyro.conf.arg(metavar="{" + ",".join(CHOICES[name]) + "}")


@dataclass(frozen=True)
class Config:
    """Options of a training run. The defaults are the algorithm as published; presets set named options.

    Raises:
        ConfigError: an option has no usable value; the message names it, what was expected and what came.
    """

    env: Annotated[str, _metavar("env")] = "lbf"
    """Environment: Level-Based Foraging, any gymnasium environment with one tuple entry for each agent
    (--task names it), or a game of the QMIX papers."""
    task: str | None = None
    """Task of lbf (as Foraging-8x8-2p-3f-v3, its default) or id of a gymnasium environment."""
    total_steps: int = 500_000
    """Environment steps to train for; the last episode is played to its end."""
    seed: int = 0
    """Seed of everything that is random."""
    run_dir: str | None = None
    """Folder for the run's files; it must not hold a run yet. Default: a new one under runs/."""

    payoff: Annotated[Any, _JSON] = None
    """Payoffs of --env matrix: a nested list with one dimension for each agent."""
    env_args: Annotated[Any, _JSON] = None
    """Further options of the environment, a JSON object: lbf's ForagingEnv (as penalty or max_player_level), or
    keyword arguments of gymnasium.make."""
    episode_limit: int | None = None
    """Most steps of an episode. Default: the environment's own."""
    truncate_at_limit: bool = False
    """lbf: treat the step limit as truncation (the target bootstraps), not as termination."""
    action_mask: bool = True
    """lbf: offer only the actions that the rules allow; otherwise all, and forbidden ones do nothing."""

    global_state: bool = False
    """lbf: show the mixer positions and levels of all players and food, not the agents' observations."""
    team_reward: Annotated[str, _metavar("team_reward")] = "sum"
    """lbf: the team's reward is the sum or the mean of its players'."""
    positions: Annotated[str, _metavar("positions")] = "absolute"
    """lbf: agents see food and each other by row and column, relative to themselves, or both ways."""
    last_action: bool = False
    """lbf: agents see which action they chose last; recurrent ones can tell from it where they have been."""
    scale_inputs: bool = False
    """lbf: networks read observations and states scaled to [-1, 1], by the largest coordinate and level."""

    mixer: Annotated[str, _metavar("mixer")] = "qmix"
    """Monotonic mixing network, sum of the agents' values (vdn), or independent learners (iql)."""
    agent: Annotated[str, _metavar("agent")] = "mlp"
    """Agent network: feed-forward, or recurrent over the episode so far."""
    hidden_dim: int = 64
    """Width of the agent network's hidden layers."""
    agent_id: bool = True
    """Tell the shared agent network which agent it acts for."""
    share_parameters: bool = True
    """One agent network for all agents; otherwise each has its own, which needs no agent id."""
    embed_dim: int = 32
    """Units of the mixing network's hidden layer."""
    hypernet_dim: int = 64
    """Hidden units of the hypernetworks."""
    hypernet_layers: int = 2
    """Layers of the hypernetworks of the mixing weights: 1 or 2."""

    gamma: float = 0.99
    """Discount."""
    lr: float = 5e-4
    """Learning rate at the start."""
    lr_end: float | None = None
    """Learning rate at the end of the run, to which it falls linearly with the steps. Default: it stays."""
    optimizer: Annotated[str, _metavar("optimizer")] = "adam"
    """Adam (torch's defaults), or RMSprop as PyMARL sets it (alpha 0.99, eps 1e-5)."""
    grad_clip: float = 10.0
    """Largest norm of the whole gradient; larger ones are scaled down."""
    batch_size: int = 32
    """Episodes in a batch."""
    batch_transitions: int | None = None
    """Learn from so many single transitions, drawn anew from all those of the batch's episodes, with replacement.
    Default: from the episodes, whole."""
    buffer_size: int = 5_000
    """Episodes that the replay buffer holds."""
    num_envs: int = 1
    """Episodes played side by side between updates."""
    num_workers: int = 0
    """Processes that play the episodes of a Python environment, each with one of its own; 0 plays in the trainer's
    process. The results do not depend on how many."""
    updates_per_episode: float = 1.0
    """Training steps for each episode played; 0.25 is one for every four episodes."""
    episodes_per_update: int | None = None
    """Episodes played for each training step, in place of --updates-per-episode: 4 is its 0.25."""
    overlap: bool = False
    """Play the next episodes on a thread beside the training steps, with the weights before those: the policy
    lags by the training steps of one round. Beside Python environments --num-workers helps."""
    prioritised: bool = False
    """Draw episodes by their mean absolute temporal-difference errors (Schaul et al. 2016), not uniformly."""
    per_alpha: float = 0.6
    """--prioritised: exponent of the priorities; 0 draws uniformly, 1 in proportion to the errors."""
    per_beta: float = 0.4
    """--prioritised: exponent of the importance weights at the start; it rises linearly to 1."""
    per_beta_steps: int | None = None
    """--prioritised: environment steps over which --per-beta rises to 1. Default: --total-steps."""
    target_update: int = 200
    """Training steps between copies of the weights to the target networks."""
    target_tau: float = 1.0
    """Share of the weights that such a copy takes over: 1 copies, less moves the targets towards them."""
    double_q: bool = False
    """Choose the target's action by the online network and rate it by the target network."""
    td_lambda: float = 0.0
    """TD(lambda) targets: 0 bootstraps after each step, 1 sums rewards to the episode's end."""
    n_step: int = 1
    """Rewards that a target sums before it bootstraps; fewer where the episode ends earlier."""
    loss: Annotated[str, _metavar("loss")] = "episodes"
    """Mean over episodes of each one's mean, or mean over all transitions of the batch (PyMARL's)."""
    standardise_rewards: Annotated[str, _metavar("standardise_rewards")] = "off"
    """Standardise rewards by running mean and deviation: of real steps, or of padding too (EPyMARL's)."""
    reward_scale: float = 1.0
    """Factor on the rewards that are learned from; reported returns are the environment's own."""

    eps_start: float = 1.0
    """Exploration at the start: the probability that an agent acts at random."""
    eps_end: float | None = None
    """Exploration at the end. Default: 0.05, and 1 for two_step and matrix, which explore fully."""
    eps_steps: int = 50_000
    """Environment steps over which exploration falls linearly."""

    eval_every: int = 25_000
    """Environment steps between greedy evaluations."""
    eval_episodes: int = 100
    """Episodes of each evaluation."""
    checkpoint_every: int = 100_000
    """Environment steps between checkpoints; the last one is always written."""
    log_every: int = 5_000
    """Environment steps between lines of metrics.csv."""
    device: Annotated[str, _metavar("device")] = "auto"
    """Where to train. auto measures both where a GPU can be used, and takes what is faster."""
    replay_device: Annotated[str, _metavar("replay_device")] = "cpu"
    """Where batches are gathered: cuda keeps decoded episodes on the GPU that trains, for tasks that fit there."""
    backend: Annotated[str, _metavar("backend")] = "fused"
    """What takes the training steps: pyqmix's compiled operations, or the same in plain PyTorch (reference)."""
    threads: int = 1
    """Threads of torch and of pyqmix's kernels. Two bring 1.4 (feed-forward) to 1.6 times (recurrent) the steps/s
    of one where a second core is free, and nothing where other work keeps it busy."""

    def __post_init__(self) -> None:
        if self.eps_end is None:
            object.__setattr__(self, "eps_end", _default_eps_end(self.env))
        check_each(vars(self))
        self._check_together()

    def _check_together(self) -> None:
        if self.num_workers > self.num_envs:
            raise ConfigError(
                f"num_workers: expected at most num_envs = {self.num_envs}, the episodes that are played between "
                f"updates, got {self.num_workers}"
            )
        if self.td_lambda > 0 and self.n_step > 1:
            raise ConfigError(
                f"n_step: expected 1 where td_lambda is above 0, as it averages over all n, got {self.n_step} "
                f"and td_lambda {self.td_lambda:g}"
            )
        if self.episodes_per_update is not None and self.updates_per_episode != 1.0:
            raise ConfigError(
                "episodes_per_update: expected it or updates_per_episode, as each is 1 / the other, got "
                f"{self.episodes_per_update} and updates_per_episode {self.updates_per_episode:g}"
            )
        if self.lr_end is not None:
            require_number("lr_end", self.lr_end, low=0.0, high=self.lr)
        if self.batch_transitions is not None and (self.agent == "gru" or self.td_lambda > 0 or self.n_step > 1):
            raise ConfigError(
                "batch_transitions: expected agent mlp, n_step 1 and td_lambda 0, which need no more than single "
                f"transitions, got {self.agent}, {self.n_step} and {self.td_lambda:g}"
            )
        if self.batch_size + self.num_envs > self.buffer_size:
            raise ConfigError(
                f"buffer_size: expected at least batch_size + num_envs = {self.batch_size + self.num_envs} "
                f"episodes, got {self.buffer_size}"
            )

    def replace(self, **changes: Any) -> Config:
        """Return a copy with some options changed; another environment brings its own default of eps_end."""
        if "env" in changes and self.eps_end == _default_eps_end(self.env):
            changes.setdefault("eps_end", None)
        return dataclasses.replace(self, **changes)

    def env_options(self) -> EnvOptions:
        """Return the options that concern the environment."""
        names = (field.name for field in dataclasses.fields(EnvOptions))
        return EnvOptions(**{name: getattr(self, name) for name in names})

    def epsilon(self, step: int) -> float:
        """Return the exploration after ``step`` environment steps."""
        assert self.eps_end is not None
        done = min(1.0, step / self.eps_steps)
        return self.eps_start + done * (self.eps_end - self.eps_start)

    def importance_exponent(self, step: int) -> float:
        """Return the β of prioritised sampling after ``step`` environment steps."""
        done = min(1.0, step / (self.per_beta_steps or self.total_steps))
        return self.per_beta + done * (1.0 - self.per_beta)

    def updates_due(self, episodes: int) -> float:
        """Return the training steps that so many episodes make due."""
        if self.episodes_per_update is not None:
            return episodes / self.episodes_per_update
        return episodes * self.updates_per_episode

    def learning_rate(self, step: int) -> float:
        """Return the learning rate after ``step`` environment steps."""
        if self.lr_end is None:
            return self.lr
        done = min(1.0, step / self.total_steps)
        return self.lr + done * (self.lr_end - self.lr)

    def to_json(self) -> str:
        """Write every option, in the order of this class."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, path: Path) -> Config:
        """Read what :meth:`to_json` wrote.

        Raises:
            ConfigError: the file is absent, no JSON object, or has unknown or unusable options.
        """
        try:
            values = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path}: expected the options of a run, but {error}") from error
        names = {field.name for field in dataclasses.fields(cls)}
        if not isinstance(values, dict) or not values.keys() <= names:
            surplus = sorted(set(values) - names) if isinstance(values, dict) else type(values).__name__
            raise ConfigError(f"{path}: expected the options of a run, got {surplus}")
        return cls(**values)


def _default_eps_end(env: str) -> float:
    return 1.0 if env in FULL_EXPLORATION_ENVS else 0.05
