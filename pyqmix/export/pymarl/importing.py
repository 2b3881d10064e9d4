"""Makes a run's folder of a model of PyMARL or EPyMARL."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from pyqmix.base.errors import ConfigError
from pyqmix.base.files import AnyPath
from pyqmix.base.network_spec import NetworkSpec
from pyqmix.base.spec import EpisodeSpec
from pyqmix.base.torch_modes import usual_modes
from pyqmix.base.untrusted import require_folder
from pyqmix.config import Config, from_preset
from pyqmix.envs.importing import closing
from pyqmix.export.pymarl import agents, mixers
from pyqmix.export.pymarl.exporting import AGENT, MIXER
from pyqmix.export.pymarl.state_dict_file import read_state_dict
from pyqmix.learn.learner import Learner
from pyqmix.run import folder as run_folder
from pyqmix.run.saver import Saver
from pyqmix.run.state import Progress, write_networks

PRESET = "epymarl"  # of the options that no weight tells
_STEPS = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class _Agent:
    """An agent network that was read.

    Attributes:
        kind: ``gru`` or ``mlp``.
        weights: under the names here.
        shared: whether it is one network for all agents.
        last_action: whether it reads the last action.
        agent_id: whether it reads the agent's id.
    """

    kind: str
    weights: dict[str, Tensor]
    shared: bool
    last_action: bool
    agent_id: bool

    @property
    def options(self) -> dict[str, Any]:
        """The options of a run with this network."""
        options = {"agent": self.kind, "hidden_dim": self.weights["fc1.weight"].shape[-2]}
        of_id = {"agent_id": self.agent_id} if self.shared else {}
        return {**options, "share_parameters": self.shared, "last_action": self.last_action, **of_id}


@usual_modes()
def import_pymarl(
    model_dir: AnyPath, run_dir: AnyPath, env: str, last_action: bool | None = None, **options: Any
) -> Config:
    """Make the folder of a run whose only checkpoint has the networks of a model.

    ``pyqmix-eval``, ``load_policy`` and ``--init-from`` read it. Kinds and sizes of the networks are told by the
    weights; the other options are those of the preset ``epymarl``.

    Args:
        model_dir: has ``agent.th``, and ``mixer.th`` unless the agents learned independently; or has folders that
            are named after steps and have these files, of which the last is taken.
        run_dir: the run's folder, which must not hold a run yet.
        env: the environment.
        last_action: whether the agents read their last actions; None: as the width of their inputs tells.
        **options: further options of the environment, such as ``task``.

    Returns:
        The run's options.

    Raises:
        ConfigError: a file is absent, damaged, or of other networks; the environment has other sizes; or the run's
            folder cannot be written.
    """
    model = find_model(Path(os.path.expanduser(model_dir)))
    start = _spec(from_preset(PRESET, env=env, **options, last_action=False))
    agent = _read_agent(model / AGENT, start, last_action)
    of_mixer = read_state_dict(model / MIXER) if (model / MIXER).exists() else None
    layers = 0 if of_mixer is None else mixers.hypernet_layers(model / MIXER, of_mixer)
    mixer = _mixer_options(of_mixer, layers)
    config = from_preset(PRESET, env=env, **options, **agent.options, **mixer, run_dir=str(run_dir))
    spec = _spec(config)
    learner = Learner(spec, config)
    if spec.obs_scale is not None:
        agent.weights["fc1.weight"][..., : spec.obs_dim] /= torch.tensor(spec.obs_scale)
    _load(learner.agent, learner.target_agent, agent.weights)
    if of_mixer:
        weights = _read_mixer(model / MIXER, of_mixer, config, spec)
        _load(cast(nn.Module, learner.mixer), cast(nn.Module, learner.target_mixer), weights)
    _write(learner, config, int(model.name) if _STEPS.fullmatch(model.name) else 0)
    return config


def find_model(folder: Path) -> Path:
    """Return the folder that has a model's files: the given one, or the last of those named after steps in it.

    Raises:
        ConfigError: there is none.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: expected a model's folder, but it is none")
    if (folder / AGENT).exists():
        return folder
    steps = [each for each in folder.iterdir() if _STEPS.fullmatch(each.name) and (each / AGENT).exists()]
    if not steps:
        raise ConfigError(f"{folder}: expected a model's {AGENT}, or folders named after steps that have one")
    last = max(steps, key=lambda each: int(each.name))
    require_folder(last)
    return last


def _spec(config: Config) -> EpisodeSpec:
    env = config.create_env()
    with closing(env):
        return env.spec


def _read_agent(path: Path, spec: EpisodeSpec, last_action: bool | None) -> _Agent:
    """Read an agent network for episodes of these sizes, whose observations have no last action."""
    kind, weights, shared = agents.from_pymarl(path, read_state_dict(path))
    first = weights["fc1.weight"]
    hidden, width = (first.shape[-2], first.shape[-1]) if first.dim() == (2 if shared else 3) else (1, 1)
    sizes = NetworkSpec(
        spec.n_agents, width, spec.n_actions, 1, kind, (hidden, hidden), agent_id=False, share_parameters=shared
    )
    _require_shapes(path, weights, sizes.agent_parameters(), agents.NAMES[kind])
    last_action, agent_id = _inputs(path, width, spec, last_action)
    if agent_id and not shared:  # each network sees one id only, which is a part of its bias
        of_id = first[..., -spec.n_agents :]
        weights["fc1.bias"] = weights["fc1.bias"] + of_id.diagonal(dim1=0, dim2=2).T
        weights["fc1.weight"] = first[..., : -spec.n_agents].contiguous()
    return _Agent(kind, weights, shared, last_action, agent_id)


def _inputs(path: Path, width: int, spec: EpisodeSpec, last_action: bool | None) -> tuple[bool, bool]:
    """Tell from their width whether inputs have the last action, and whether they have the agent's id."""
    n, actions, obs = spec.n_agents, spec.n_actions, spec.obs_dim
    fits = [
        (action, of_agent)
        for action in (False, True)
        for of_agent in (False, True)
        if obs + action * actions + of_agent * n == width and last_action in (None, action)
    ]
    if len(fits) == 1:
        return fits[0]
    if fits:
        raise ConfigError(
            f"last_action: expected true or false, because the {width} inputs of {path} are {obs} of the "
            f"observation and {n} of either the last action or the agent's id"
        )
    parts = {None: f", perhaps {actions} of the last action", True: f", {actions} of the last action", False: ""}
    raise ConfigError(
        f"{path}: expected inputs of {obs} numbers of the environment's observation{parts[last_action]}, and "
        f"perhaps {n} of the agent's id, got {width}"
    )


def _mixer_options(tensors: Mapping[str, Tensor] | None, layers: int) -> dict[str, Any]:
    if not tensors:
        return {"mixer": "iql" if tensors is None else "vdn"}
    options = {"mixer": "qmix", "hypernet_layers": layers, "embed_dim": tensors["hyper_b_1.bias"].numel()}
    return {**options, "hypernet_dim": tensors["hyper_w_1.0.bias"].numel()} if layers == 2 else options


def _read_mixer(path: Path, tensors: dict[str, Tensor], config: Config, spec: EpisodeSpec) -> dict[str, Tensor]:
    """Convert a QMIX mixer to the state that the environment gives here."""
    n, codes = spec.n_agents, spec.n_actions if spec.concat_state and config.last_action else 0
    bare = spec.state_dim - n * codes
    bias = tensors["hyper_b_1.weight"]
    width = spec.state_dim if bias.dim() == 2 and bias.shape[1] == spec.state_dim else bare
    sizes = NetworkSpec(
        n,
        spec.obs_dim,
        spec.n_actions,
        width,
        embed_dim=config.embed_dim,
        hypernet_dim=config.hypernet_dim,
        hypernet_layers=config.hypernet_layers,
    )
    names = mixers.NAMES[config.hypernet_layers]
    _require_shapes(path, tensors, sizes.mixer_parameters(), dict(zip(names, names, strict=True)))
    for key in mixers.readers(tensors):
        if codes and width == bare:
            tensors[key] = mixers.widened(tensors[key], n, codes)
        if spec.state_scale is not None:
            tensors[key] = tensors[key] / torch.tensor(spec.state_scale)
    return tensors


def _require_shapes(
    path: Path, weights: Mapping[str, Tensor], expected: list[tuple[int, ...]], names: Mapping[str, str]
) -> None:
    for (ours, theirs), shape in zip(names.items(), expected, strict=True):
        if (got := tuple(weights[ours].shape)) != shape:
            raise ConfigError(f"{path}: {theirs}: expected {shape} for this environment, got {got}")


def _load(online: nn.Module, target: nn.Module, weights: Mapping[str, Tensor]) -> None:
    for network in (online, target):
        network.load_state_dict(weights)


def _write(learner: Learner, config: Config, steps: int) -> None:
    """Write the run's folder; nothing is left behind where that fails."""
    folder = run_folder.create(config)
    try:
        folder.write_config(config)
        saver = Saver(folder.path, config.keep_checkpoints)
        try:
            with saver.writing("step", steps) as draft:
                write_networks(draft, Progress(steps=steps), learner, {})
            saver.wait()
        finally:
            saver.close()
    except BaseException:
        folder.discard()
        raise
    folder.release()
