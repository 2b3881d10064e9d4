"""Checks that every operation makes before it hands tensors to the extension, which trusts them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pyqmix import _C

Shape = Sequence[int]


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
    # Texts are written only on failure: torch.compile cannot trace them where sizes are symbols.
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}: expected {describe(shape, dtype, device)}, got {type(value).__name__}")
    check_strided(name, value)
    if value.dtype != dtype:
        raise TypeError(f"{name}: expected {describe(shape, dtype, device)}, got {_describe(value)}")
    if value.shape != torch.Size(shape) or value.device != device:
        raise ValueError(f"{name}: expected {describe(shape, dtype, device)}, got {_describe(value)}")


def check_strided(name: str, value: Tensor) -> None:
    """Require rows and columns, where a nested or a sparse tensor has none.

    Raises:
        ValueError: it is nested or of another layout.
    """
    if value.layout != torch.strided or value.is_nested:
        layout = "nested" if value.is_nested else f"of layout {value.layout}"
        raise ValueError(f"{name}: expected a strided tensor, got one that is {layout}")


def check_floating(name: str, value: object, dims: int, form: str, bfloat16: bool = False) -> None:
    """Require a float32 or float64 tensor on a CPU or CUDA device, with ``dims`` or more dimensions.

    With ``bfloat16``, that dtype too where it is not on the CPU. A meta tensor passes: it has shapes and no
    values.

    Raises:
        TypeError: it is no tensor, or of another dtype.
        ValueError: it has too few dimensions, an empty last one, or lies on another device.
    """
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}: expected {form} float32 or float64, got {type(value).__name__}")
    check_strided(name, value)
    too = bfloat16 and value.device.type != "cpu"
    kinds = "float32, float64 or bfloat16" if too else "float32 or float64"
    if value.dtype not in (torch.float32, torch.float64) and not (too and value.dtype == torch.bfloat16):
        raise TypeError(f"{name}: expected {form} {kinds}, got {_describe(value)}")
    if value.dim() < dims or 0 in value.shape[value.dim() - dims :]:
        raise ValueError(f"{name}: expected {form} {kinds}, got {_describe(value)}")
    if value.device.type not in ("cpu", "cuda", "meta"):
        raise ValueError(f"{name}: expected {form} on a CPU or CUDA device, got {_describe(value)}")


def read_integers(name: str, value: Tensor) -> list[int]:
    """Return the numbers of a vector on which control flow depends.

    Raises:
        RuntimeError: they cannot be read: it is batched by ``torch.vmap`` or has no values.
    """
    try:
        numbers: list[int] = value.tolist()
    except RuntimeError as error:
        raise RuntimeError(f"{name}: expected numbers that can be read; no transform may batch them") from error
    return numbers


def require_cuda_kernels() -> None:
    """Raise RuntimeError where this build has none."""
    if not hasattr(_C, "mix_forward_cuda"):
        raise RuntimeError("this build of pyqmix has no CUDA kernels: reinstall it where nvcc is found")


def _describe(value: Tensor) -> str:
    return describe(value.shape, value.dtype, value.device)


def readable(value: Tensor) -> Tensor:
    """Return ``value`` as contiguous memory of its numbers, copying only where it must."""
    plain = value.is_contiguous() and not value.is_neg()  # cheaper than detach, which makes a tensor
    return value if plain else value.detach().resolve_neg().contiguous()


def as_rows(value: Tensor, rows: int, width: int) -> Tensor:
    """View ``value`` as (rows, width) with contiguous rows, copying only where its strides forbid it."""
    if value.shape == (rows, width) and value.is_contiguous() and not value.is_neg():
        return value  # cheaper than the views below, each of which is a tensor
    flat = value.detach().resolve_neg().reshape(rows, width)
    return flat if width == 1 or flat.stride(1) == 1 else flat.contiguous()
