"""Says what to do when the bare source tree, which has no compiled module, shadows the installed package."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import TracebackType


class SourceTreeError(ImportError):
    """pyqmix was imported from its source tree instead of from where it was installed."""


def require_compiled_module() -> None:
    """Raise SourceTreeError if the package that is being imported has no compiled module.

    Where nobody catches it, Python then prints the one sentence and no stack trace.
    """
    if importlib.util.find_spec("pyqmix._C") is not None:
        return
    folder = Path(__file__).resolve().parent
    if (folder.parent / "CMakeLists.txt").is_file():
        message = (
            f"{folder} is pyqmix's source tree, which holds no compiled module: run `pip install .` in "
            f"{folder.parent}, then start Python from another folder (or use the pyqmix-train command)."
        )
    else:
        message = f"{folder} holds no compiled module: reinstall pyqmix-marl with pip."
    previous = sys.excepthook

    def print_sentence(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, SourceTreeError):
            print(error, file=sys.stderr)
        else:
            previous(kind, error, trace)

    sys.excepthook = print_sentence
    raise SourceTreeError(message)
