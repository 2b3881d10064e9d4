"""Agent networks and mixers by name, and how they are built."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, cast

from torch import nn

from pyqmix.base.calling import accepts, blamed, call_accepted
from pyqmix.base.errors import ConfigError
from pyqmix.base.network_spec import NetworkSpec
from pyqmix.base.registry import Registry
from pyqmix.nn.agents import Agent, GRUAgent, MLPAgent
from pyqmix.nn.mixers import IQLMixer, QMixer, VDNMixer
from pyqmix.nn.trial import require_trainable, try_agent, try_mixer
from pyqmix.nn.user_agent import UserAgent
from pyqmix.nn.user_mixer import UserMixer

Factory = Callable[..., nn.Module]
_BUILT_IN = (MLPAgent, GRUAgent, QMixer, VDNMixer, IQLMixer)


def _factory(name: str, given: object) -> Factory:
    if not callable(given):
        raise ConfigError(f"{name}: expected a class or a function that makes a network, got {given!r}")
    if isinstance(given, nn.Module):
        raise ConfigError(
            f"{name}: expected a class or a function that makes a network, got a network: give its class, and its "
            "arguments in agent_args or mixer_args"
        )
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
        factory: a class or function that returns a module as :class:`pyqmix.nn.UserAgent` describes it, or a
            subclass of :class:`pyqmix.nn.Agent`. It is called with those of ``obs_dim``, ``n_actions``,
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
        factory: a class or function that returns a module with ``forward(agent_qs, states)``, as
            :class:`pyqmix.nn.UserMixer` describes it, or one that satisfies :class:`pyqmix.nn.Mixer` or
            :class:`pyqmix.learn.joint.JointMixer`. It is called with those of ``n_agents``, ``state_dim`` and the
            options of :class:`pyqmix.Config` that its signature names, and with the option ``mixer_args``.

    Raises:
        ConfigError: the name is taken, or the factory cannot be called.
    """
    MIXERS.register(name, factory)


def make_agent(spec: NetworkSpec) -> Agent:
    """Build the agent network of a name in AGENTS, in evaluation mode.

    Raises:
        ConfigError: there is none, or it cannot be built with these options; or a user's network does not work on
            random observations of these sizes.
    """
    factory, option = AGENTS[spec.agent], f"agent {spec.agent}"
    offered = spec.offered
    own_reading = isinstance(factory, type) and issubclass(factory, Agent)
    appends_id = spec.agent_id and not own_reading and not accepts(factory, "agent_id")
    if appends_id:
        offered["obs_dim"] += spec.n_agents
    if not spec.share_parameters and not accepts(factory, "share_parameters"):
        raise ConfigError(f"share_parameters: expected true, because agent {spec.agent} has no such argument")
    made = _make(option, factory, offered, spec.agent_args, ("obs_dim", "n_actions", "n_agents"))
    if is_built_in(made):
        return cast(Agent, made)
    if isinstance(made, Agent):
        if appends_id:
            raise ConfigError(f"{option}: returns a pyqmix.nn.Agent: expected a parameter agent_id, got none")
    else:
        scale = None if accepts(factory, "obs_scale") else spec.obs_scale
        made = UserAgent(spec.agent, made, spec.n_actions, spec.n_agents if appends_id else 0, scale)
    try_agent(option, made.eval(), spec)
    return made


def make_mixer(spec: NetworkSpec) -> nn.Module:
    """Build the mixer of a name in MIXERS, in evaluation mode.

    It satisfies :class:`pyqmix.nn.Mixer` or :class:`pyqmix.learn.joint.JointMixer`.

    Raises:
        ConfigError: there is none, or it cannot be built with these options; or a user's network does not work on
            random values and states of these sizes.
    """
    option = f"mixer {spec.mixer}"
    factory = MIXERS[spec.mixer]
    made = _make(option, factory, spec.offered, spec.mixer_args, ("n_agents", "state_dim"))
    if is_built_in(made):
        return made
    made.eval()
    if _has(made, "batch_loss", "batch_targets"):
        require_trainable(option, made)
        return made
    mixer = made if _has(made, "loss", "td_target") else UserMixer(spec.mixer, made)
    try_mixer(option, mixer, spec)
    return mixer


def is_built_in(network: object) -> bool:
    """Whether a network is one of pyqmix's own, of which no operation waits for a GPU."""
    return type(network) in _BUILT_IN


def _make(
    option: str, factory: Factory, offered: Mapping[str, Any], given: Mapping[str, Any], always: tuple[str, ...]
) -> nn.Module:
    with blamed(option, getattr(factory, "__qualname__", repr(factory))):
        made = call_accepted(option, factory, offered, given, always)
    if not isinstance(made, nn.Module):
        raise ConfigError(f"{option}: expected a torch.nn.Module, got {type(made).__name__}")
    if isinstance(factory, type):
        return made
    with blamed(option, "copy.deepcopy, because a function may return one network twice,"):
        return copy.deepcopy(made)


def _has(made: object, *methods: str) -> bool:
    return all(callable(getattr(made, name, None)) for name in methods)
