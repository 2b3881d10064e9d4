"""Agent networks and mixers by name, and how they are built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from torch import nn

from pyqmix.base.calling import accepts, call_accepted
from pyqmix.base.errors import ConfigError
from pyqmix.base.network_spec import NetworkSpec
from pyqmix.base.registry import Registry
from pyqmix.nn.agents import Agent, GRUAgent, MLPAgent
from pyqmix.nn.mixers import IQLMixer, QMixer, VDNMixer
from pyqmix.nn.user_agent import UserAgent
from pyqmix.nn.user_mixer import UserMixer

Factory = Callable[..., nn.Module]
_BUILT_IN = (MLPAgent, GRUAgent, QMixer, VDNMixer, IQLMixer)


def _factory(name: str, given: object) -> Factory:
    if not callable(given):
        raise ConfigError(f"{name}: expected a class or a function that makes a network, got {given!r}")
    return cast(Factory, given)


AGENTS: Registry[Factory] = Registry("agent", "pyqmix.agents", {"mlp": MLPAgent, "gru": GRUAgent}, _factory)
MIXERS: Registry[Factory] = Registry(
    "mixer", "pyqmix.mixers", {"qmix": QMixer, "vdn": VDNMixer, "iql": IQLMixer}, _factory
)


def register_agent(name: str, factory: Factory) -> None:
    """Let ``--agent name`` and ``Config(agent=name)`` mean an agent network of yours.

    An installed package does the same by an entry point of the group ``pyqmix.agents``.

    Args:
        name: letters, digits, ``_``, ``-`` and ``.``.
        factory: a class or function that returns a subclass of :class:`pyqmix.nn.Agent`, or a module as
            :class:`pyqmix.nn.UserAgent` describes it. It is called with those of ``obs_dim``, ``n_actions``,
            ``n_agents`` and the options of :class:`pyqmix.Config` that its signature names, and with the option
            ``agent_args``.

    Raises:
        ConfigError: the name is taken, or the factory cannot be called.
    """
    AGENTS.register(name, factory)


def register_mixer(name: str, factory: Factory) -> None:
    """Let ``--mixer name`` and ``Config(mixer=name)`` mean a mixer of yours.

    An installed package does the same by an entry point of the group ``pyqmix.mixers``.

    Args:
        name: letters, digits, ``_``, ``-`` and ``.``.
        factory: a class or function that returns a module with ``forward(agent_qs, states)``, or one that
            satisfies :class:`pyqmix.nn.Mixer`. It is called with those of ``n_agents``, ``state_dim`` and the
            options of :class:`pyqmix.Config` that its signature names, and with the option ``mixer_args``.

    Raises:
        ConfigError: the name is taken, or the factory cannot be called.
    """
    MIXERS.register(name, factory)


def make_agent(spec: NetworkSpec) -> Agent:
    """Build the agent network of a name in AGENTS.

    Raises:
        ConfigError: there is none, or it cannot be built with these options.
    """
    factory, option = AGENTS[spec.agent], f"agent {spec.agent}"
    offered = spec.offered
    own_reading = isinstance(factory, type) and issubclass(factory, Agent)
    appends_id = spec.agent_id and not own_reading and not accepts(factory, "agent_id")
    if appends_id:
        offered["obs_dim"] += spec.n_agents
    if not spec.share_parameters and not accepts(factory, "share_parameters"):
        raise ConfigError(f"share_parameters: expected true, because agent {spec.agent} has no such argument")
    made = call_accepted(option, factory, offered, spec.agent_args, ("obs_dim", "n_actions", "n_agents"))
    _require_module(option, made)
    if isinstance(made, Agent):
        if appends_id:
            raise ConfigError(f"{option}: returns a pyqmix.nn.Agent: expected a parameter agent_id, got none")
        return made
    scale = None if accepts(factory, "obs_scale") else spec.obs_scale
    return UserAgent(spec.agent, made, spec.n_actions, spec.n_agents if appends_id else 0, scale)


def make_mixer(spec: NetworkSpec) -> nn.Module:
    """Build the mixer of a name in MIXERS, which satisfies :class:`Mixer` or :class:`JointMixer`.

    Raises:
        ConfigError: there is none, or it cannot be built with these options.
    """
    option = f"mixer {spec.mixer}"
    factory = MIXERS[spec.mixer]
    made: nn.Module = call_accepted(option, factory, spec.offered, spec.mixer_args, ("n_agents", "state_dim"))
    _require_module(option, made)
    if _has(made, "loss", "td_target") or _has(made, "batch_loss", "batch_targets"):
        return made
    return UserMixer(spec.mixer, made)


def is_built_in(network: object) -> bool:
    """Whether a network is one of pyqmix's own, of which no operation waits for a GPU."""
    return type(network) in _BUILT_IN


def _require_module(option: str, made: Any) -> None:
    if not isinstance(made, nn.Module):
        raise ConfigError(f"{option}: expected a torch.nn.Module, got {type(made).__name__}")


def _has(made: object, *methods: str) -> bool:
    return all(callable(getattr(made, name, None)) for name in methods)
