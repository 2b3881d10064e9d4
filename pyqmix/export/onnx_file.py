"""The format ``onnx``: one file for ONNX Runtime and the many engines that read ONNX."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

from pyqmix.base.errors import ConfigError
from pyqmix.envs.importing import first_line, import_optional
from pyqmix.export.check import Runner
from pyqmix.export.contract import KEY
from pyqmix.export.quiet import quiet
from pyqmix.export.traced import BATCH

OPSET = 18  # the oldest that torch.onnx writes without a conversion, for engines that lag behind
PACKAGES = ("onnx", "onnxscript", "onnxruntime")
_LARGEST = 1 << 31  # bytes of one message of protobuf


def require_packages() -> None:
    """Import the packages of the extra ``onnx``.

    Raises:
        ConfigError: one is absent.
    """
    for name in PACKAGES:
        import_optional(name, "format: ONNX files", "'pyqmix-marl[onnx]'")


def to_bytes(program: ExportedProgram, description: Mapping[str, Any]) -> bytes:
    """Return the content of the file.

    Args:
        program: the policy.
        description: it becomes the entry ``pyqmix`` of the model's metadata, in JSON.

    Raises:
        ConfigError: an operation of the network has no counterpart in ONNX, or the network is too large.
    """
    import onnx

    inputs, outputs = list(description["inputs"]), list(description["outputs"])
    try:
        with quiet():
            made = torch.onnx.export(
                program,
                input_names=inputs,
                output_names=outputs,
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
            assert made is not None
            model: Any = made.model_proto
    except Exception as error:  # the exporter has no common class of errors
        name = description["options"]["agent"]
        raise ConfigError(f"agent {name}: torch.onnx cannot convert it: {first_line(error)}") from error
    _tidy(model, description)
    if (size := model.ByteSize()) >= _LARGEST:
        raise ConfigError(
            f"format: expected a network of at most {_LARGEST:,} bytes for one ONNX file, got {size:,}"
        )
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content


def runner(content: bytes) -> Runner:
    """Return what ONNX Runtime computes by the file."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        outputs = session.run(names, {name: value.numpy() for name, value in inputs.items()})
        return {name: torch.from_numpy(value) for name, value in zip(names, outputs, strict=True)}

    return run


def _tidy(model: Any, description: Mapping[str, Any]) -> None:
    """Name the first dimension, describe the policy, and leave out paths and names of this program."""
    model.producer_name, model.producer_version = KEY, description["pyqmix"]
    del model.metadata_props[:]
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, json.dumps(description, indent=2)
    graph = model.graph
    del graph.value_info[:]  # whose sizes have other names
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = BATCH
    for part in (graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        del part.metadata_props[:]
        part.doc_string = ""
