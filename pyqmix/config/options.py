"""Options of a run: declared with their kinds, defaults and sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pyqmix.base.backends import BACKENDS
from pyqmix.base.cores import AUTO
from pyqmix.base.options import (
    ESSENTIAL,
    Text,
    check_json_object,
    integer,
    integer_or,
    json_value,
    name_in,
    names_in,
    number,
    one_of,
)
from pyqmix.base.steps import Steps, steps_or_share
from pyqmix.envs import FAMILIES
from pyqmix.loggers import LOGGERS
from pyqmix.nn import AGENTS, MIXERS

MOST_EPISODES = 1_000_000_000  # of one evaluation

_POSITIVE, _OPTIONAL = integer(1), integer(1, optional=True)
_STEPS = steps_or_share()
_WIDTH = integer(1, 16_384)
_FRACTION = number(0.0, 1.0)


@dataclass(frozen=True)
class Environment:
    """The environment, whose own options join these."""

    TOPIC: ClassVar = "Environment"

    env: Annotated[str, name_in(FAMILIES), ESSENTIAL] = "lbf"
    """Level-Based Foraging (lbf), an environment of another library (--task names it), a game of the QMIX
    papers, or your own. --help shows the options of the one that is named."""


@dataclass(frozen=True)
class Run:
    """The run as a whole."""

    TOPIC: ClassVar = "Run"

    total_steps: Annotated[int, _POSITIVE, ESSENTIAL] = 500_000
    """Environment steps to train for; the last episode is played to its end."""
    seed: Annotated[int, integer(0), ESSENTIAL] = 0
    """Seed of everything that is random."""
    run_dir: Annotated[str | None, Text("DIR"), ESSENTIAL] = None
    """Folder for the run's files; it must not hold a run yet. Default: a new one under runs/."""
    init_from: Annotated[str | None, Text("DIR")] = None
    """Folder of another run, whose newest weights are the initial ones of agent network and mixer where names and
    shapes fit. Default: random ones."""


@dataclass(frozen=True)
class Networks:
    """Agent network and mixer."""

    TOPIC: ClassVar = "Agent and mixer"

    mixer: Annotated[str, name_in(MIXERS), ESSENTIAL] = "qmix"
    """Monotonic mixing network, sum of the agents' values (vdn), independent learners (iql), or another method."""
    mixer_args: Annotated[Any, json_value(check_json_object)] = None
    """Keyword arguments of the mixer, a JSON object."""
    agent: Annotated[str, name_in(AGENTS), ESSENTIAL] = "mlp"
    """Agent network: feed-forward, recurrent over the episode so far, or your own."""
    agent_args: Annotated[Any, json_value(check_json_object)] = None
    """Keyword arguments of the agent network, a JSON object."""
    hidden_dim: Annotated[int, _WIDTH] = 64
    """Width of the agent network's hidden layers."""
    agent_id: bool = True
    """Tell the shared agent network which agent it acts for."""
    share_parameters: bool = True
    """One agent network for all agents; otherwise each has its own, which needs no agent id."""
    embed_dim: Annotated[int, _WIDTH] = 32
    """Units of the mixing network's hidden layer."""
    hypernet_dim: Annotated[int, _WIDTH] = 64
    """Hidden units of the hypernetworks."""
    hypernet_layers: Annotated[int, integer(1, 2)] = 2
    """Layers of the hypernetworks of the mixing weights: 1 or 2."""


@dataclass(frozen=True)
class Learning:
    """Training steps."""

    TOPIC: ClassVar = "Learning"

    gamma: Annotated[float, _FRACTION] = 0.99
    """Discount."""
    lr: Annotated[float, number(above=0.0)] = 5e-4
    """Learning rate at the start."""
    lr_end: Annotated[float | None, number(optional=True)] = None
    """Learning rate at the end of the run, to which it falls linearly with the steps. Default: it stays."""
    optimizer: Annotated[str, one_of("adam", "rmsprop")] = "adam"
    """Adam (torch's defaults), or RMSprop as PyMARL sets it (alpha 0.99, eps 1e-5)."""
    grad_clip: Annotated[float, number(above=0.0)] = 10.0
    """Largest norm of the whole gradient; larger ones are scaled down."""
    batch_size: Annotated[int, _POSITIVE] = 32
    """Episodes in a batch."""
    batch_transitions: Annotated[int | None, integer(1, 10_000_000, optional=True)] = None
    """Number of single transitions that a training step learns from, drawn with replacement from those of the
    batch's episodes. Default: it learns from the whole episodes."""
    updates_per_episode: Annotated[float | None, number(above=0.0, high=10_000.0, optional=True)] = None
    """Training steps for each episode played; 0.25 is one for every four episodes. Default: 1."""
    episodes_per_update: Annotated[int | None, _OPTIONAL] = None
    """Episodes played for each training step, in place of --updates-per-episode: 4 is its 0.25."""
    loss: Annotated[str, one_of("episodes", "transitions")] = "episodes"
    """Mean over episodes of each one's mean, or mean over all transitions of the batch (PyMARL's)."""
    standardise_rewards: Annotated[str, one_of("off", "masked", "padded")] = "off"
    """Standardise rewards by running mean and deviation: of real steps (masked), or with padding (EPyMARL's)."""
    reward_scale: Annotated[float, number(above=0.0)] = 1.0
    """Factor on the rewards that are learned from; reported returns are the environment's own."""


@dataclass(frozen=True)
class Targets:
    """Targets of the temporal-difference errors."""

    TOPIC: ClassVar = "Targets"

    target_update: Annotated[int, _POSITIVE] = 200
    """Training steps between copies of the weights to the target networks."""
    target_tau: Annotated[float, number(0.0, 1.0)] = 1.0
    """Share of the weights in such a copy: 1 copies them, less moves the targets towards them."""
    double_q: bool = False
    """Choose the target's action by the online network and evaluate it by the target network."""
    td_lambda: Annotated[float, _FRACTION] = 0.0
    """TD(lambda) targets: 0 bootstraps after each step, 1 sums rewards to the episode's end."""
    n_step: Annotated[int, _POSITIVE] = 1
    """Rewards that a target sums before it bootstraps; fewer where the episode ends earlier."""


@dataclass(frozen=True)
class Exploration:
    """Exploration."""

    TOPIC: ClassVar = "Exploration"

    eps_start: Annotated[float, _FRACTION] = 1.0
    """Exploration at the start: the probability that an agent acts at random."""
    eps_end: Annotated[float | None, _FRACTION] = None
    """Exploration at the end. Default: 0.05; 1 where an environment explores fully, as two_step and matrix do."""
    eps_steps: Annotated[Steps, _STEPS] = 50_000
    """Environment steps over which exploration falls linearly, or a share of --total-steps, as 40%."""


@dataclass(frozen=True)
class Replay:
    """Replay buffer."""

    TOPIC: ClassVar = "Replay"

    buffer_size: Annotated[int, _POSITIVE] = 5_000
    """Episodes that the replay buffer holds."""
    prioritised: bool = False
    """Draw episodes by their mean absolute temporal-difference errors (Schaul et al. 2016), not uniformly."""
    per_alpha: Annotated[float, _FRACTION] = 0.6
    """--prioritised: exponent of the priorities; 0 draws uniformly, 1 in proportion to the errors."""
    per_beta: Annotated[float, _FRACTION] = 0.4
    """--prioritised: exponent of the importance weights at the start; it rises linearly to 1."""
    per_beta_steps: Annotated[Steps | None, steps_or_share(optional=True)] = None
    """--prioritised: environment steps over which --per-beta rises to 1, or a share of --total-steps. Default:
    100%."""


@dataclass(frozen=True)
class Rollouts:
    """Episodes that are played."""

    TOPIC: ClassVar = "Episodes"

    num_envs: Annotated[int, integer(1, 8_192), ESSENTIAL] = 1
    """Episodes played at the same time between updates."""
    num_workers: Annotated[int, integer(0, 8_192), ESSENTIAL] = 0
    """Processes that play the episodes of a Python environment, or with --rollout ray of any, each in its share of
    the --num-envs environments; 0 plays in the trainer's process. The results do not depend on the number."""
    rollout: Annotated[str, one_of("local", "ray")] = "local"
    """Where the --num-workers processes run: on this machine, or on the nodes of a Ray cluster, one CPU each
    (pip install 'pyqmix-marl[ray]')."""
    ray_address: Annotated[str, Text("ADDRESS")] = "local"
    """--rollout ray: the cluster. auto finds one with a node on this machine, HOST:PORT names one, and local
    starts one of this machine alone for this run."""
    max_staleness: Annotated[int, integer(0, 1_024)] = 0
    """--rollout ray: rounds of --num-envs episodes that are ordered ahead, so that players and learner need not
    wait for each other; the weights that play lag behind by the training steps of this number of rounds. 0 orders
    a round when the training steps before it are done, as without Ray."""
    step_timeout: Annotated[float, number(0.0, 1e6)] = 300.0
    """Seconds that a step, a reset or the construction of an environment may take. A worker process that takes
    longer (--num-workers) is replaced and its episodes are played again; after three times the run fails and names
    the environment. The trainer's process cannot end such a call, and writes a line. 0: no limit."""
    overlap: bool = False
    """Play the next episodes on a thread during the training steps, with the weights from before them: the policy
    lags by the training steps of one round. A Python environment needs --num-workers too to gain from it."""


@dataclass(frozen=True)
class Evaluation:
    """Evaluations and metrics."""

    TOPIC: ClassVar = "Evaluation and log"

    eval_every: Annotated[Steps, _STEPS] = 25_000
    """Environment steps between greedy evaluations, or a share of --total-steps, as 5%."""
    eval_episodes: Annotated[int, integer(1, MOST_EPISODES)] = 100
    """Episodes of each evaluation."""
    log_every: Annotated[Steps, _STEPS] = 5_000
    """Environment steps between lines of metrics.csv, or a share of --total-steps."""
    loggers: Annotated[tuple[str, ...], names_in(LOGGERS)] = ()
    """Tools that get the lines of metrics.csv too, besides TensorBoard. Their own environment variables, such as
    WANDB_MODE=offline and MLFLOW_TRACKING_URI, set them up. Each is an extra: pip install 'pyqmix-marl[wandb]'."""
    project: Annotated[str | None, Text()] = None
    """--loggers: project of the run, MLflow's experiment. Default: what WANDB_PROJECT, MLFLOW_EXPERIMENT_NAME or
    TRACKIO_PROJECT says, or pyqmix."""


@dataclass(frozen=True)
class Checkpoints:
    """Checkpoints."""

    TOPIC: ClassVar = "Checkpoints"

    checkpoint_every: Annotated[Steps, _STEPS] = 100_000
    """Environment steps between checkpoints, or a share of --total-steps; the last one is always written."""
    checkpoint_replay: bool = True
    """Keep the replay buffer in checkpoints, so that a resumed run goes on to the same bits."""
    keep_checkpoints: Annotated[int, _POSITIVE] = 3
    """Newest checkpoints that remain; the one of the best evaluation remains too."""


@dataclass(frozen=True)
class Machine:
    """Devices and threads."""

    TOPIC: ClassVar = "Machine"

    device: Annotated[str, one_of("auto", "cpu", "cuda"), ESSENTIAL] = "auto"
    """Device that trains. auto measures both where a GPU can be used, and takes the faster one."""
    replay_device: Annotated[str, one_of("cpu", "cuda")] = "cpu"
    """Where batches are gathered: cuda keeps decoded episodes on the GPU that trains, for tasks that fit there."""
    backend: Annotated[str, one_of(*BACKENDS)] = "fused"
    """Operations of the training steps: pyqmix's compiled ones (fused), or the same in plain PyTorch."""
    threads: Annotated[int | str, integer_or(AUTO, 1, 1_024), ESSENTIAL] = AUTO
    """Threads of pyqmix's kernels and of native episodes, on whose number no result depends. auto measures, while
    the run trains, how many of the cores that it may use make it faster; torch then has one. A number is torch's
    too where networks consist of its layers, and their last bits depend on it."""


# The last base's options come first.
@dataclass(frozen=True)
class RunOptions(
    Machine, Checkpoints, Evaluation, Rollouts, Replay, Exploration, Targets, Learning, Networks, Run, Environment
):
    """Options that every run has, whatever its environment. :class:`pyqmix.Config` checks them."""
