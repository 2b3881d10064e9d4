"""The description inside an exported file: where the policy comes from, its inputs and its outputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from pyqmix.base.build import versions
from pyqmix.base.errors import ConfigError, EnvError
from pyqmix.base.files import AnyPath
from pyqmix.config import Config
from pyqmix.config.trust import Trust
from pyqmix.envs.importing import closing
from pyqmix.export.traced import ACTIONS, AVAIL, BATCH, HIDDEN, NEXT_HIDDEN, OBS, Q_VALUES
from pyqmix.run.stored_agent import StoredAgent

KEY = "pyqmix"  # of the description among ONNX's metadata
_OPTIONS = (
    *("agent", "agent_args", "hidden_dim", "agent_id", "share_parameters"),
    *("mixer", "last_action", "scale_inputs"),
)


def contract(
    run_dir: AnyPath, found: StoredAgent, mask: bool, agent: Callable[..., nn.Module] | None, trust: Trust
) -> dict[str, Any]:
    """Describe an exported policy as a JSON object.

    Args:
        run_dir: the run's folder.
        found: its agent network.
        mask: whether the file has the input ``avail``.
        agent: as for :func:`pyqmix.run.stored_agent.read_agent`.
        trust: the names in the folder that may be imported. Without it an environment ``module:name`` is not
            built, and its actions have no names.
    """
    spec, options = found.spec, found.options
    known = versions()
    return {
        "pyqmix": known["pyqmix"],
        "torch": known["torch"],
        "env": options["env"],
        "task": options.get("task"),
        "checkpoint_steps": found.checkpoint.steps,
        "n_agents": spec.n_agents,
        "n_actions": spec.n_actions,
        "action_names": _action_names(run_dir, spec.n_actions, agent, trust),
        "options": {name: options.get(name) for name in _OPTIONS},
        "inputs": _inputs(found, mask),
        "outputs": _outputs(found),
    }


def _inputs(found: StoredAgent, mask: bool) -> dict[str, Any]:
    spec, hidden = found.spec, found.network.initial_hidden(1)
    width = spec.obs_dim - (spec.n_actions if found.options["last_action"] else 0)
    parts = {"observation": [0, width]}
    if width < spec.obs_dim:
        parts["last_action"] = [width, spec.obs_dim]  # one-hot, zeros at an episode's start
    inputs: dict[str, Any] = {OBS: {**_array("float32", spec.n_agents, spec.obs_dim), "columns": parts}}
    if mask:
        inputs[AVAIL] = _array("bool", spec.n_agents, spec.n_actions)
    if hidden is not None:
        inputs[HIDDEN] = {**_array("float32", *hidden.shape[1:]), "initial": _initial(hidden)}
    return inputs


def _outputs(found: StoredAgent) -> dict[str, Any]:
    spec, hidden = found.spec, found.network.initial_hidden(1)
    outputs = {
        Q_VALUES: _array("float32", spec.n_agents, spec.n_actions),
        ACTIONS: _array("int64", spec.n_agents),
    }
    return outputs if hidden is None else {**outputs, NEXT_HIDDEN: _array("float32", *hidden.shape[1:])}


def _array(dtype: str, *sizes: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": [BATCH, *sizes]}


def _initial(hidden: Tensor) -> Any:
    """Return an episode's first hidden state: one number where all are equal, else nested lists."""
    values = hidden[0]
    first = float(values.flatten()[0]) if values.numel() else 0.0
    return first if bool((values == first).all()) else values.tolist()


def _action_names(
    run_dir: AnyPath, n_actions: int, agent: Callable[..., nn.Module] | None, trust: Trust
) -> list[str] | None:
    """Return the names that the environment gives its actions; None without names, or without the environment."""
    try:
        env = Config.from_json(Path(run_dir) / "config.json", agent=agent, trust=trust).create_env()
    except (ConfigError, EnvError):
        return None
    with closing(env):
        names = getattr(env, "action_names", ())
    return list(map(str, names)) if len(names) == n_actions else None
