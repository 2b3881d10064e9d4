"""A run's options and those of its environment, checked when they are set."""

from __future__ import annotations

import dataclasses
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, cast

from pyqmix.base.describe import attributes
from pyqmix.base.errors import ConfigError
from pyqmix.base.files import AnyPath
from pyqmix.base.options import check_each, option_names
from pyqmix.base.sealed import sealed
from pyqmix.base.steps import Steps, in_steps
from pyqmix.config.options import RunOptions
from pyqmix.config.parts import brought, refer, restore
from pyqmix.config.saved import modernised, of_environment, read_options
from pyqmix.config.together import check_together
from pyqmix.config.trust import Trust
from pyqmix.envs import Env, EnvOptions, env_family, require_options

_OF_EVERY_RUN = frozenset(option_names(RunOptions))


class _Memory:
    """What a Config knows of itself apart from its options: no field, so that ``vars`` has the options alone."""

    __slots__ = ("_chose_eps_end",)
    _chose_eps_end: bool


@dataclass(frozen=True, repr=False)
class Config(RunOptions, _Memory):
    """Options of a training run, with the algorithm's defaults as published for all that are not given.

    The command line starts from a preset where the environment has one, as :func:`pyqmix.from_preset` does:
    ``from_preset(env="lbf")`` has the options of ``pyqmix-train --env lbf``, and ``Config(env="lbf")`` those of
    ``pyqmix-train --env lbf --preset none``. A run says at its start which of them it has.

    A Config has the options of its environment as fields, too: ``Config(env="lbf", positions="both")`` has those
    of :class:`pyqmix.envs.LbfOptions`. It cannot be changed; :meth:`replace` returns a changed copy.

    Raises:
        ConfigError: an option has no usable value, or the environment does not have it; the message names it, the
            expected values and the given one.
    """

    if TYPE_CHECKING:  # the options of the environment are known at run time only

        def __init__(self, env: str = ..., **options: Any) -> None: ...

        def __getattr__(self, name: str) -> Any: ...

    def __new__(cls, env: object = "lbf", *_: object, **options: Any) -> Config:
        """Make a Config of the class that has the options of its environment."""
        if cls is not Config:
            return object.__new__(cls)
        require_options(env_family(env), {k: v for k, v in options.items() if k not in _OF_EVERY_RUN})
        return object.__new__(config_class(cast(str, env)))

    def __repr__(self) -> str:
        """Write the environment, and the options that do not have the defaults."""
        fields = {field.name: field.default for field in dataclasses.fields(self)}
        values = {"env": self.env, **{name: x for name, x in self._given().items() if x != fields[name]}}
        return f"Config({', '.join(f'{name}={value!r}' for name, value in values.items())})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self._given(), brought(vars(self)))

    def __post_init__(self) -> None:
        object.__setattr__(self, "_chose_eps_end", self.eps_end is not None)
        if self.eps_end is None:
            object.__setattr__(self, "eps_end", _default_eps_end(self.env))
        for name in ("run_dir", "init_from"):
            if isinstance(folder := getattr(self, name), (str, os.PathLike)):
                object.__setattr__(self, name, os.path.expanduser(folder))
        check_each(self)
        object.__setattr__(self, "loggers", tuple(self.loggers))
        if type(self) is not config_class(self.env):
            raise ConfigError(f"env: this Config is not of {self.env}: use Config.replace()")
        check_together(self)

    def replace(self, **changes: Any) -> Config:
        """Return a copy with some options changed.

        A new ``env`` keeps the options that it has too. It brings its own default of eps_end, unless a value was
        given.
        """
        values = self._given()
        if "env" in changes:
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

    def _given(self) -> dict[str, Any]:
        """Return the options, without an eps_end that is the environment's default."""
        return {**vars(self), **({} if self._chose_eps_end else {"eps_end": None})}

    def in_steps(self, value: Steps) -> int:
        """Return the environment steps that the value of an option means, such as ``40%`` of ``total_steps``."""
        return in_steps(value, self.total_steps)

    def epsilon(self, step: int) -> float:
        """Return the exploration after ``step`` environment steps."""
        assert self.eps_end is not None
        done = min(1.0, step / self.in_steps(self.eps_steps))
        return self.eps_start + done * (self.eps_end - self.eps_start)

    def importance_exponent(self, step: int) -> float:
        """Return the β of prioritised sampling after ``step`` environment steps."""
        done = min(1.0, step / self.in_steps(self.per_beta_steps or "100%"))
        return self.per_beta + done * (1.0 - self.per_beta)

    def updates_due(self, episodes: int) -> float:
        """Return the number of training steps that are due for a number of episodes."""
        if self.episodes_per_update is not None:
            return episodes / self.episodes_per_update
        return episodes * (1.0 if self.updates_per_episode is None else self.updates_per_episode)

    def learning_rate(self, step: int) -> float:
        """Return the learning rate after ``step`` environment steps."""
        if self.lr_end is None:
            return self.lr
        done = min(1.0, step / self.total_steps)
        return self.lr + done * (self.lr_end - self.lr)

    def to_json(self) -> str:
        """Write every option in the order of its declaration, and a checksum of all."""
        return sealed(dataclasses.asdict(self))

    @classmethod
    def from_json(
        cls,
        path: AnyPath,
        env: Callable[..., Any] | None = None,
        agent: Callable[..., Any] | None = None,
        mixer: Callable[..., Any] | None = None,
        *,
        trust: Trust = False,
    ) -> Config:
        """Read what :meth:`to_json` wrote, with the folder of the file as run_dir.

        The file may come from anyone: nothing is imported by a name that it contains, unless that is trusted.

        Args:
            path: the file.
            env: makes the environment, in place of the name in the file.
            agent: makes the agent network, likewise.
            mixer: makes the mixer, likewise.
            trust: True if every name in the file may be imported, such as an environment ``module:name`` or a task
                ``module:ID``; or the names that may be.

        Raises:
            ConfigError: the file is absent, is not a JSON object, has unknown or unusable options, or names an
                environment, a task or a network that is unknown here or would be imported without trust.
        """
        path = Path(path)
        values = read_options(path, {"env": env, "agent": agent, "mixer": mixer}, trust)
        family = env_family(values.get("env", cls.env))
        own = option_names(config_class(family.name))
        return cls(**of_environment(path, modernised(values, family), own))


_ABOUT = inspect.cleandoc(Config.__doc__ or "")
Config.__doc__ = f"{_ABOUT}\n\n{attributes(Config)}\n"  # for help(), from the declarations


def config_class(env: str) -> type[Config]:
    """Return the class of Configs of an environment: with the options of a run and the environment's own."""
    options: Any = env_family(env).options
    with _making:
        return _class_with(options)


_making = RLock()  # of classes: the cache alone would let two threads make one each


@cache
def _class_with(options: Any) -> type[Config]:
    namespace = {"__module__": __name__, "__post_init__": Config.__post_init__, "__repr__": Config.__repr__}
    made = dataclasses.make_dataclass(
        "Config", (), bases=(options, Config), frozen=True, repr=False, namespace=namespace
    )
    made.__doc__ = f"{_ABOUT}\n\n{attributes(made)}\n"
    return made


def _restore(values: dict[str, Any], given: dict[str, object]) -> Config:
    restore(values, given)
    return Config(**values)


def _default_eps_end(env: str) -> float:
    return 1.0 if env_family(env).explores_fully else 0.05
