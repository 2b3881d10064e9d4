"""Checks that every operation makes before it takes a pointer, and the pointers themselves."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

Shape = Sequence[int]
TensorRows = tuple[int, int]  # address, row stride in elements: what the extension takes


def describe(shape: Shape, dtype: torch.dtype, device: torch.device) -> str:
    """Write a shape, dtype and device as error messages do: ``(32, 50, 48) float32 on cpu``."""
    sizes = "(" + ", ".join(str(int(size)) for size in shape) + ("," if len(shape) == 1 else "") + ")"
    return f"{sizes} {str(dtype).removeprefix('torch.')} on {device}"


def check_tensor(name: str, value: object, shape: Shape, dtype: torch.dtype, device: torch.device) -> None:
    """Require a strided tensor of exactly this shape, dtype and device.

    Raises:
        TypeError: it is no tensor, or of another dtype.
        ValueError: it has another shape, device or layout.
    """
    expected = describe(shape, dtype, device)
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}: expected {expected}, got {type(value).__name__}")
    if value.dtype != dtype:
        raise TypeError(f"{name}: expected {expected}, got {describe(value.shape, value.dtype, value.device)}")
    if tuple(value.shape) != tuple(shape) or value.device != device:
        raise ValueError(f"{name}: expected {expected}, got {describe(value.shape, value.dtype, value.device)}")
    if value.layout != torch.strided:
        raise ValueError(f"{name}: expected {expected} strided, got layout {value.layout}")


def check_floating(name: str, value: object, dims: int, form: str) -> None:
    """Require a float32 or float64 tensor with at least ``dims`` dimensions, described by ``form``.

    Raises:
        TypeError: it is no tensor, or of another dtype.
        ValueError: it has too few dimensions or an empty last one.
    """
    expected = f"{form} float32 or float64"
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}: expected {expected}, got {type(value).__name__}")
    got = describe(value.shape, value.dtype, value.device)
    if value.dtype not in (torch.float32, torch.float64):
        raise TypeError(f"{name}: expected {expected}, got {got}")
    if value.dim() < dims or 0 in value.shape[value.dim() - dims :]:
        raise ValueError(f"{name}: expected {expected}, got {got}")


def as_rows(value: Tensor, rows: int, width: int) -> Tensor:
    """View ``value`` as (rows, width) with contiguous rows, copying only where its strides forbid it."""
    flat = value.detach().reshape(rows, width)
    return flat if width == 1 or flat.stride(1) == 1 else flat.contiguous()


def pointer(flat: Tensor) -> TensorRows:
    """Address and row stride of what :func:`as_rows` returned; the caller keeps the tensor alive."""
    return flat.data_ptr(), flat.stride(0)
