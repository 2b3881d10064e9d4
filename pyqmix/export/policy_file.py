"""Writes the agent network of a run as a policy that other programs load."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from pyqmix.base.destination import destination
from pyqmix.base.errors import ConfigError, unknown
from pyqmix.base.files import AnyPath, replacing
from pyqmix.base.torch_modes import usual_modes
from pyqmix.config.trust import Trust
from pyqmix.export import onnx_file, torch_file
from pyqmix.export.check import Difference, compare
from pyqmix.export.contract import contract
from pyqmix.export.traced import trace
from pyqmix.run.checkpoint import NEWEST
from pyqmix.run.stored_agent import read_agent

SUFFIXES = {"torch": ".pt2", "onnx": ".onnx"}


@dataclass(frozen=True)
class ExportedPolicy:
    """A file that was written.

    Attributes:
        path: where it is.
        description: what it says of itself: origin, inputs, outputs.
        difference: from the values and actions of pyqmix's own actor.
    """

    path: Path
    description: Mapping[str, Any]
    difference: Difference


@usual_modes()
def export_policy(
    run_dir: AnyPath,
    out: AnyPath,
    format: str = "torch",
    checkpoint: str | int = NEWEST,
    *,
    mask: bool = True,
    agent: Callable[..., nn.Module] | None = None,
    trust: Trust = False,
) -> ExportedPolicy:
    """Write the agent network of a run's checkpoint, with its greedy choice of actions, to one file.

    The file is compared with pyqmix's own actor on random observations before it is written.

    Args:
        run_dir: the run's folder.
        out: the file, whose suffix is ``.pt2`` or ``.onnx``.
        format: ``torch`` (a program of torch.export) or ``onnx``.
        checkpoint: ``newest``, ``best``, or the number of its steps.
        mask: whether the policy has an input with the available actions; without it, all are available.
        agent: makes the agent network, where the name in the run's options cannot be looked up here.
        trust: whether an agent network ``module:name`` in the run's options may be imported, as for
            :meth:`pyqmix.Config.from_json`.

    Raises:
        ConfigError: the folder is no run, its checkpoint or its agent network cannot be read, the network cannot
            be exported, the file cannot be written, or a package of the extra ``onnx`` is absent.
    """
    if format not in SUFFIXES:
        raise unknown("format", format, SUFFIXES)
    path = destination("out", out, (SUFFIXES[format],))
    if format == "onnx":
        onnx_file.require_packages()
    found = read_agent(run_dir, agent, checkpoint, trust=trust)
    description = contract(run_dir, found, mask, agent, trust)
    program = trace(found.network, found.options["agent"], found.spec, mask)
    writer = onnx_file if format == "onnx" else torch_file
    content = writer.to_bytes(program, description)
    difference = compare(writer.runner(content), found.network, found.spec, mask)
    if not difference.is_rounding:
        raise ConfigError(
            f"agent {found.options['agent']}: its exported file computes something else: {difference}"
        )
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return ExportedPolicy(path, description, difference)
