"""Options of a run, checked when they are set."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

from pyqmix.base.errors import ConfigError
from pyqmix.base.options import (
    Text,
    check_each,
    check_json_object,
    integer,
    json_value,
    name_in,
    number,
    one_of,
    option_names,
)
from pyqmix.config.parts import brought, refer, restore
from pyqmix.config.saved import of_environment, read_options
from pyqmix.config.together import check_together
from pyqmix.envs import FAMILIES, Env, EnvOptions, env_family, require_options
from pyqmix.nn import AGENTS, MIXERS
from pyqmix.ops.backend import BACKENDS

_POSITIVE, _OPTIONAL = integer(1), integer(1, optional=True)
_WIDTH = integer(1, 16_384)
_FRACTION = number(0.0, 1.0)


@dataclass(frozen=True)
class Config:
    """Options of a training run. The defaults are the algorithm as published; presets set named options.

    A Config has the options of its environment as fields, too: ``Config(env="lbf", positions="both")`` has those
    of :class:`pyqmix.envs.LbfOptions`.

    Raises:
        ConfigError: an option has no usable value, or the environment does not have it; the message names it, the
            expected values and the given one.
    """

    env: Annotated[str, name_in(FAMILIES)] = "lbf"
    """Environment: Level-Based Foraging, an environment of another library (--task names it), a game of the QMIX
    papers, or your own. --help shows the options of the one that is named."""
    total_steps: Annotated[int, _POSITIVE] = 500_000
    """Environment steps to train for; the last episode is played to its end."""
    seed: Annotated[int, integer(0)] = 0
    """Seed of everything that is random."""
    init_from: Annotated[str | None, Text()] = None
    """Folder of another run, whose newest weights are the initial ones of agent network and mixer where names and
    shapes fit. Default: random ones."""
    run_dir: Annotated[str | None, Text()] = None
    """Folder for the run's files; it must not hold a run yet. Default: a new one under runs/."""

    mixer: Annotated[str, name_in(MIXERS)] = "qmix"
    """Monotonic mixing network, sum of the agents' values (vdn), independent learners (iql), or another method."""
    mixer_args: Annotated[Any, json_value(check_json_object)] = None
    """Keyword arguments of the mixer, a JSON object."""
    agent: Annotated[str, name_in(AGENTS)] = "mlp"
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
    batch_transitions: Annotated[int | None, _OPTIONAL] = None
    """Number of single transitions that a training step learns from, drawn with replacement from those of the
    batch's episodes. Default: it learns from the whole episodes."""
    buffer_size: Annotated[int, _POSITIVE] = 5_000
    """Episodes that the replay buffer holds."""
    num_envs: Annotated[int, integer(1, 8_192)] = 1
    """Episodes played at the same time between updates."""
    num_workers: Annotated[int, integer(0, 8_192)] = 0
    """Processes that play the episodes of a Python environment, each in its share of the --num-envs environments;
    0 plays in the trainer's process. The results do not depend on the number."""
    step_timeout: Annotated[float, number(0.0)] = 300.0
    """Seconds that a step, a reset or the construction of an environment may take in a worker process (it needs
    --num-workers). A process that takes longer is replaced and its episodes are played again; after three times
    the run fails and names the environment. 0: no limit."""
    updates_per_episode: Annotated[float, number(above=0.0)] = 1.0
    """Training steps for each episode played; 0.25 is one for every four episodes."""
    episodes_per_update: Annotated[int | None, _OPTIONAL] = None
    """Episodes played for each training step, in place of --updates-per-episode: 4 is its 0.25."""
    overlap: bool = False
    """Play the next episodes on a thread during the training steps, with the weights from before them: the policy
    lags by the training steps of one round. A Python environment needs --num-workers too to gain from it."""
    prioritised: bool = False
    """Draw episodes by their mean absolute temporal-difference errors (Schaul et al. 2016), not uniformly."""
    per_alpha: Annotated[float, _FRACTION] = 0.6
    """--prioritised: exponent of the priorities; 0 draws uniformly, 1 in proportion to the errors."""
    per_beta: Annotated[float, _FRACTION] = 0.4
    """--prioritised: exponent of the importance weights at the start; it rises linearly to 1."""
    per_beta_steps: Annotated[int | None, _OPTIONAL] = None
    """--prioritised: environment steps over which --per-beta rises to 1. Default: --total-steps."""
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
    loss: Annotated[str, one_of("episodes", "transitions")] = "episodes"
    """Mean over episodes of each one's mean, or mean over all transitions of the batch (PyMARL's)."""
    standardise_rewards: Annotated[str, one_of("off", "masked", "padded")] = "off"
    """Standardise rewards by running mean and deviation: of real steps (masked), or with padding (EPyMARL's)."""
    reward_scale: Annotated[float, number(above=0.0)] = 1.0
    """Factor on the rewards that are learned from; reported returns are the environment's own."""

    eps_start: Annotated[float, _FRACTION] = 1.0
    """Exploration at the start: the probability that an agent acts at random."""
    eps_end: Annotated[float | None, _FRACTION] = None
    """Exploration at the end. Default: 0.05; 1 where an environment explores fully, as two_step and matrix do."""
    eps_steps: Annotated[int, _POSITIVE] = 50_000
    """Environment steps over which exploration falls linearly."""

    eval_every: Annotated[int, _POSITIVE] = 25_000
    """Environment steps between greedy evaluations."""
    eval_episodes: Annotated[int, _POSITIVE] = 100
    """Episodes of each evaluation."""
    checkpoint_every: Annotated[int, _POSITIVE] = 100_000
    """Environment steps between checkpoints; the last one is always written."""
    log_every: Annotated[int, _POSITIVE] = 5_000
    """Environment steps between lines of metrics.csv."""
    device: Annotated[str, one_of("auto", "cpu", "cuda")] = "auto"
    """Device that trains. auto measures both where a GPU can be used, and takes the faster one."""
    replay_device: Annotated[str, one_of("cpu", "cuda")] = "cpu"
    """Where batches are gathered: cuda keeps decoded episodes on the GPU that trains, for tasks that fit there."""
    backend: Annotated[str, one_of(*BACKENDS)] = "fused"
    """Operations of the training steps: pyqmix's compiled ones (fused), or the same in plain PyTorch."""
    threads: Annotated[int, integer(1, 1_024)] = 1
    """Threads of torch and of pyqmix's kernels. Two bring 1.4 (feed-forward) to 1.6 times (recurrent) the steps/s
    of one where a second core is free, and nothing where other work keeps it busy."""

    if TYPE_CHECKING:  # the options of the environment are known at run time only

        def __init__(self, env: str = ..., **options: Any) -> None: ...

        def __getattr__(self, name: str) -> Any: ...

    def __new__(cls, env: object = "lbf", *_: object, **options: Any) -> Config:
        """Make a Config of the class that has the options of its environment."""
        if cls is not Config:
            return object.__new__(cls)
        require_options(env_family(env), options)
        return object.__new__(config_class(cast(str, env)))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (vars(self), brought(vars(self)))

    def __post_init__(self) -> None:
        if self.eps_end is None:
            object.__setattr__(self, "eps_end", _default_eps_end(self.env))
        check_each(self)
        if type(self) is not config_class(self.env):
            raise ConfigError(f"env: this Config is not of {self.env}: use Config.replace()")
        check_together(self)

    def replace(self, **changes: Any) -> Config:
        """Return a copy with some options changed.

        A new ``env`` keeps the options that it has too. It brings its own default of eps_end, unless the old value
        differs from the old environment's default.
        """
        values = vars(self)
        if "env" in changes:
            if self.eps_end == _default_eps_end(self.env):
                changes.setdefault("eps_end", None)
            kept = option_names(config_class(env_family(changes["env"]).name))
            values = {name: value for name, value in values.items() if name in kept}
        return Config(**{**values, **changes})

    def with_own(
        self,
        env: Callable[..., Any] | None = None,
        agent: Callable[..., Any] | None = None,
        mixer: Callable[..., Any] | None = None,
    ) -> Config:
        """Return a copy with classes or functions of the running program in place of names.

        Raises:
            ConfigError: one of them cannot be called.
        """
        changes: dict[str, Any] = refer({"env": env, "agent": agent, "mixer": mixer})
        return self.replace(**changes, **({} if env is None else {"task": None})) if changes else self

    @property
    def label(self) -> str:
        """Environment, task and mixer, for people to read."""
        return "-".join(x.rpartition(":")[2] for x in (self.env, self.task_name, self.mixer) if x is not None)

    @property
    def task_name(self) -> str | None:
        """The task; None where the environment has none, or it was not named."""
        task: str | None = vars(self).get("task")
        return task

    def env_options(self) -> EnvOptions:
        """Return the options that concern the environment."""
        family = env_family(self.env)
        return family.options(**{name: getattr(self, name) for name in family.option_names})

    def create_env(self) -> Env:
        """Build one environment.

        Raises:
            ConfigError: the task or an option does not fit.
        """
        return env_family(self.env).create(self.env_options())

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
        """Return the number of training steps that are due for a number of episodes."""
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
    def from_json(
        cls,
        path: Path,
        env: Callable[..., Any] | None = None,
        agent: Callable[..., Any] | None = None,
        mixer: Callable[..., Any] | None = None,
    ) -> Config:
        """Read what :meth:`to_json` wrote.

        Args:
            path: the file.
            env: makes the environment, in place of the name in the file.
            agent: makes the agent network, likewise.
            mixer: makes the mixer, likewise.

        Raises:
            ConfigError: the file is absent, is not a JSON object, has unknown or unusable options, or names an
                environment or a network that is unknown here.
        """
        values = read_options(path, {"env": env, "agent": agent, "mixer": mixer})
        family = env_family(values.get("env", cls.env))
        if family.native and "num_workers" in values:
            values["num_workers"] = 0  # workers played these games in older versions; the results are the same
        return cls(**of_environment(path, values, option_names(config_class(family.name))))


def config_class(env: str) -> type[Config]:
    """Return the class of Configs of an environment: with the options of a run and the environment's own."""
    options: Any = env_family(env).options
    return _class_with(options)


@cache
def _class_with(options: Any) -> type[Config]:
    namespace = {"__module__": __name__, "__doc__": Config.__doc__, "__post_init__": Config.__post_init__}
    return dataclasses.make_dataclass("Config", (), bases=(options, Config), frozen=True, namespace=namespace)


def _restore(values: dict[str, Any], given: dict[str, object]) -> Config:
    restore(values, given)
    return Config(**values)


def _default_eps_end(env: str) -> float:
    return 1.0 if env_family(env).explores_fully else 0.05
