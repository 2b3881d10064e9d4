"""Agent networks and mixers by name; torch is imported when one is first looked up."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from pyqmix.base.errors import ConfigError
from pyqmix.base.registry import Registry

if TYPE_CHECKING:
    from torch import nn

    Factory = Callable[..., nn.Module]


def _factory(name: str, given: object) -> Factory:
    if not callable(given):
        raise ConfigError(f"{name}: expected a class or a function that makes a network, got {given!r}")
    from torch import nn

    if isinstance(given, nn.Module):
        raise ConfigError(
            f"{name}: expected a class or a function that makes a network, got a network: give its class, and its "
            "arguments in agent_args or mixer_args"
        )
    return cast("Factory", given)


AGENTS: Registry[Factory] = Registry(
    "agent", "pyqmix.agents", {"mlp": "pyqmix.nn.agents:MLPAgent", "gru": "pyqmix.nn.agents:GRUAgent"}, _factory
)
MIXERS: Registry[Factory] = Registry(
    "mixer",
    "pyqmix.mixers",
    {
        "qmix": "pyqmix.nn.qmixer:QMixer",
        "vdn": "pyqmix.nn.mixers:VDNMixer",
        "iql": "pyqmix.nn.mixers:IQLMixer",
    },
    _factory,
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
