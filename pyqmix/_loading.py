"""Says in one sentence why the compiled module cannot be had, and what to do."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import TracebackType
from typing import NoReturn


class LoadingError(ImportError):
    """The compiled module is absent, as in the bare source tree, or refuses to start."""


def require_compiled_module() -> None:
    """Raise LoadingError if the package that is being imported has no compiled module that starts.

    Where nobody catches it, Python then prints the one sentence and no stack trace.
    """
    if importlib.util.find_spec("pyqmix._C") is None:
        _fail(_where_to_go())
    try:
        importlib.import_module("pyqmix._C")
    except ImportError as error:
        _fail(" ".join(str(error).split()))


def _where_to_go() -> str:
    folder = Path(__file__).resolve().parent
    if not (folder.parent / "CMakeLists.txt").is_file():
        return f"{folder} holds no compiled module: reinstall pyqmix-marl with pip."
    return (
        f"{folder} is pyqmix's source tree, which holds no compiled module: run `pip install .` in "
        f"{folder.parent}, then start Python from another folder (or use the pyqmix-train command)."
    )


def _fail(message: str) -> NoReturn:
    previous = sys.excepthook

    def print_sentence(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, LoadingError):
            print(error, file=sys.stderr)
        else:
            previous(kind, error, trace)

    sys.excepthook = print_sentence
    raise LoadingError(message) from None
