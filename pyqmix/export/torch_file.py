"""The format ``torch``: a program of torch.export in one file, which torch loads without pyqmix."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

from pyqmix.export.check import Runner

NAME = "pyqmix.json"  # of the description in the file


def to_bytes(program: ExportedProgram, description: Mapping[str, Any]) -> bytes:
    """Return the content of the file."""
    content = io.BytesIO()
    torch.export.save(program, content, extra_files={NAME: json.dumps(description, indent=2)})
    return content.getvalue()


def runner(content: bytes) -> Runner:
    """Return what the file computes, as a program that loads it does."""
    module = torch.export.load(io.BytesIO(content)).module()

    def run(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        with torch.no_grad():
            outputs: dict[str, Tensor] = module(**inputs)
        return outputs

    return run
