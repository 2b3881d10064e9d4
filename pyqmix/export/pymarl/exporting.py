"""Writes a run's networks as a model of PyMARL and EPyMARL."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import torch
from torch import Tensor, nn

from pyqmix.base.errors import ConfigError
from pyqmix.base.files import AnyPath
from pyqmix.base.torch_modes import usual_modes
from pyqmix.config import Config
from pyqmix.config.networks import network_spec
from pyqmix.config.trust import Trust
from pyqmix.export.pymarl import agents, mixers
from pyqmix.export.pymarl.state_dict_file import write_state_dict
from pyqmix.nn import make_mixer
from pyqmix.nn.native import native_kind
from pyqmix.run.checkpoint import NEWEST, load_network
from pyqmix.run.stored_agent import StoredAgent, read_agent

AGENT, MIXER, OPTIMIZER = "agent.th", "mixer.th", "opt.th"


@dataclass(frozen=True)
class ExportedModel:
    """A model that was written.

    Attributes:
        folder: has its files; the folder above it is EPyMARL's ``checkpoint_path``.
        options: EPyMARL's options that fit it.
        notes: says which file was left out, and why.
    """

    folder: Path
    options: Mapping[str, Any]
    notes: tuple[str, ...]


@usual_modes()
def export_pymarl(
    run_dir: AnyPath, out: AnyPath, checkpoint: str | int = NEWEST, *, trust: Trust = False
) -> ExportedModel:
    """Write the networks of a run's checkpoint as ``out/STEPS/agent.th``, ``mixer.th`` and ``opt.th``.

    The scale of the inputs is multiplied into the first layers, as these programs have none. The optimizer's state
    is that of a new one, because EPyMARL loads no model without it.

    Args:
        run_dir: the run's folder.
        out: the folder, which is made if it does not exist. The folder ``STEPS`` in it must not exist.
        checkpoint: ``newest``, ``best``, or the number of its steps.
        trust: as for :func:`pyqmix.load_policy`.

    Raises:
        ConfigError: the folder is no run, its checkpoint cannot be read, or its agent network is none of PyMARL's.
        OSError: a file cannot be written.
    """
    found = read_agent(run_dir, checkpoint=checkpoint, trust=trust)
    kind = native_kind(found.network)
    if kind is None:
        raise ConfigError(f"agent: expected mlp or gru, which PyMARL has too, got {found.options['agent']}")
    of_agent = _agent(found, kind)
    of_mixer, notes = _mixer(found)
    folder = Path(os.path.expanduser(out)) / str(found.checkpoint.steps)
    files = {AGENT: of_agent, OPTIMIZER: _new_optimizer(found, [*of_agent.values(), *(of_mixer or {}).values()])}
    if of_mixer is not None:
        files[MIXER] = of_mixer
    if folder.exists():
        raise ConfigError(f"out: {folder} exists already: choose another folder")
    folder.mkdir(parents=True)
    for name, state in files.items():
        write_state_dict(folder / name, state)
    return ExportedModel(folder, _options(found, kind, of_mixer), notes)


def _agent(found: StoredAgent, kind: str) -> dict[str, Tensor]:
    weights = dict(found.network.state_dict())
    if (scale := found.network.obs_scale) is not None:
        first = weights["fc1.weight"].clone()
        first[..., : len(scale)] *= scale
        weights["fc1.weight"] = first
    return agents.to_pymarl(kind, weights, found.options["share_parameters"])


def _mixer(found: StoredAgent) -> tuple[dict[str, Tensor] | None, tuple[str, ...]]:
    """Return the mixer's ``state_dict``, which is empty for VDN; None for independent learners. And notes."""
    name, spec = found.options["mixer"], found.spec
    if name in ("vdn", "iql"):
        return ({} if name == "vdn" else None), ()
    if name != "qmix":
        return None, (f"no {MIXER}: PyMARL has no mixer {name}",)
    mixer: nn.Module = make_mixer(network_spec(spec, cast(Config, SimpleNamespace(**found.options))))
    load_network(found.checkpoint, "mixer", mixer)
    weights = {key: tensor.detach().clone() for key, tensor in mixer.state_dict().items()}
    for key in mixers.readers(weights):
        if spec.state_scale is not None:
            weights[key] *= torch.tensor(spec.state_scale)
        if spec.concat_state and found.options["last_action"]:
            without = mixers.narrowed(weights[key], spec.n_agents, spec.n_actions)
            if without is None:
                return None, (f"no {MIXER}: the mixer reads last actions in the state, which PyMARL's lacks",)
            weights[key] = without
    return weights, ()


def _new_optimizer(found: StoredAgent, tensors: list[Tensor]) -> dict[str, Any]:
    parameters = [nn.Parameter(tensor) for tensor in tensors]
    rate = found.options["lr"]
    if found.options["optimizer"] == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=rate, alpha=0.99, eps=1e-5).state_dict()
    return torch.optim.Adam(parameters, lr=rate).state_dict()


def _options(found: StoredAgent, kind: str, of_mixer: Mapping[str, Tensor] | None) -> dict[str, Any]:
    options = found.options
    shared = options["share_parameters"]
    fitting = {
        "agent": "rnn" if shared else "rnn_ns",
        "mac": "basic_mac" if shared else "non_shared_mac",
        "use_rnn": kind == "gru",
        "hidden_dim": options["hidden_dim"],
        "obs_agent_id": shared and options["agent_id"],
        "obs_last_action": options["last_action"],
        "mixer": None if of_mixer is None else options["mixer"],
    }
    if of_mixer:
        fitting |= {"mixing_embed_dim": options["embed_dim"], "hypernet_layers": options["hypernet_layers"]}
    if of_mixer and options["hypernet_layers"] == 2:
        fitting["hypernet_embed"] = options["hypernet_dim"]
    return fitting
