"""How the extension was built, and the versions of the libraries that a run uses."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any

from pyqmix import _C


def build_info() -> dict[str, Any]:
    """Tell how the extension was built and which SIMD level it uses here.

    Returns:
        version, compiler, build_type, sanitizer, simd (active: baseline, avx2 or avx512; the environment
        variable PYQMIX_SIMD chooses another), simd_compiled, cuda (nvcc's version, None if CPU only)
        and cuda_architectures.
    """
    return _C.build_info()


def versions() -> dict[str, str]:
    """Return the versions on which a run's numbers depend; of optional packages, those that are installed."""
    import torch

    found = {"pyqmix": _C.__version__, "python": platform.python_version(), "torch": str(torch.__version__)}
    for name in ("numpy", "gymnasium", "safetensors", "lbforaging"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
