"""Builds the agent network and the mixer of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from pyqmix.base.calling import accepts, blamed, call_accepted
from pyqmix.base.errors import ConfigError
from pyqmix.base.network_spec import NetworkSpec
from pyqmix.nn.agent import Agent
from pyqmix.nn.agents import GRUAgent, MLPAgent
from pyqmix.nn.copying import copied
from pyqmix.nn.mixers import IQLMixer, VDNMixer
from pyqmix.nn.native import is_as_made
from pyqmix.nn.qmixer import QMixer
from pyqmix.nn.registry import AGENTS, MIXERS
from pyqmix.nn.trial import require_trainable, try_agent, try_mixer
from pyqmix.nn.user_agent import UserAgent
from pyqmix.nn.user_mixer import UserMixer

_BUILT_IN = (MLPAgent, GRUAgent, QMixer, VDNMixer, IQLMixer)


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
    if isinstance(made, Agent):
        if appends_id:
            raise ConfigError(f"{option}: returns a pyqmix.nn.Agent: expected a parameter agent_id, got none")
        if is_built_in(made):
            return made
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
    """Whether a network is one of pyqmix's own, as it was made: no operation waits for a GPU."""
    return isinstance(network, _BUILT_IN) and type(network) in _BUILT_IN and is_as_made(network)


def _make(
    option: str,
    factory: Callable[..., nn.Module],
    offered: Mapping[str, Any],
    given: Mapping[str, Any],
    always: tuple[str, ...],
) -> nn.Module:
    with blamed(option, getattr(factory, "__qualname__", repr(factory))):
        made = call_accepted(option, factory, offered, given, always)
    if not isinstance(made, nn.Module):
        raise ConfigError(f"{option}: expected a torch.nn.Module, got {type(made).__name__}")
    if isinstance(factory, type):
        return made
    with blamed(option, "copy.deepcopy, because a function may return one network twice,"):
        return copied(made)


def _has(made: object, *methods: str) -> bool:
    return all(callable(getattr(made, name, None)) for name in methods)
