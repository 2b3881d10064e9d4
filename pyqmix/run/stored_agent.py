"""Reads the agent network of a run's checkpoint, without the run's environment and mixer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from torch import nn

from pyqmix.base.errors import ConfigError
from pyqmix.base.files import AnyPath
from pyqmix.base.options import check_values
from pyqmix.base.sealed import read_object
from pyqmix.base.spec import EpisodeSpec
from pyqmix.config import Config
from pyqmix.config.networks import network_spec
from pyqmix.config.options import RunOptions
from pyqmix.config.parts import refer, require_known
from pyqmix.config.trust import Trust, require_plain, require_trusted_name
from pyqmix.nn import AGENTS, Agent, make_agent
from pyqmix.nn.drawing import drawing
from pyqmix.run.checkpoint import NEWEST, load_network, read_spec
from pyqmix.run.stored import Stored, read_stored


@dataclass(frozen=True)
class StoredAgent:
    """The agent network of a checkpoint.

    Attributes:
        network: with the checkpoint's weights, on the CPU, in evaluation mode, without gradients.
        spec: the sizes of the run's episodes.
        options: the run's, as config.json has them; those that it does not name have their defaults.
        checkpoint: has the weights of all networks.
    """

    network: Agent
    spec: EpisodeSpec
    options: Mapping[str, Any]
    checkpoint: Stored


def read_agent(
    run_dir: AnyPath,
    agent: Callable[..., nn.Module] | None = None,
    checkpoint: str | int = NEWEST,
    *,
    trust: Trust = False,
) -> StoredAgent:
    """Read the agent network of a run's checkpoint.

    Args:
        run_dir: the run's folder.
        agent: makes the agent network, where the name in the run's options cannot be looked up here.
        checkpoint: ``newest``, ``best``, or the number of its steps.
        trust: whether an agent network ``module:name`` in the run's options may be imported, as for
            :meth:`pyqmix.Config.from_json`.

    Raises:
        ConfigError: the folder is no run, its checkpoint is absent or damaged, an option of its network is
            unusable, or its agent network is unknown here or not trusted.
    """
    found = read_stored(run_dir, str(checkpoint))
    spec, options = read_spec(found), _options(Path(run_dir), agent, trust)
    with drawing(0, AGENTS[options["agent"]]):
        network = make_agent(network_spec(spec, cast(Config, SimpleNamespace(**options)))).requires_grad_(False)
    network.float()  # its scale of observations, too, whatever torch's default is
    load_network(found, "agent", network)
    return StoredAgent(network, spec, options, found)


def _options(run: Path, agent: Callable[..., nn.Module] | None, trust: Trust) -> dict[str, Any]:
    """Read the options of a run, and check those of its agent network.

    An option that the file does not name has its default.
    """
    defaults = {field.name: field.default for field in dataclasses.fields(Config)}
    options = {**defaults, **read_object(run / "config.json"), **refer({"agent": agent})}
    if isinstance(options["agent"], str):
        require_trusted_name(run, "agent", options["agent"], trust)
        require_known(run, "agent", options["agent"])
    if trust is not True:
        require_plain(run, "agent_args", options["agent_args"])
    check_values(RunOptions, options, but=("env", "mixer"))
    if not isinstance(options.setdefault("last_action", False), bool):
        raise ConfigError(f"last_action: expected true or false, got {options['last_action']!r}")
    return options
