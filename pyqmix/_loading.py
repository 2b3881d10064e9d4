"""Imports when something is first used; and one sentence where the package cannot start."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

_FILE_OF_THE_PUMP_PROJECT = "valve.py"  # a file of the distribution pyqmix, which drives syringe pumps


class LoadingError(ImportError):
    """The package cannot start: it has no compiled module, or a folder that holds another project, too."""


def lazy(
    package: str, homes: Mapping[str, Collection[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and ``__dir__`` of a package that imports its modules when they are first used.

    Args:
        package: its name.
        homes: its modules, each with the names that the package has from it.
    """
    module_of = {name: module for module, names in homes.items() for name in names}

    def get(name: str) -> Any:
        if name in homes:
            return importlib.import_module(f"{package}.{name}")
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{package}.{module_of[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes, *module_of})

    return get, names


def require_own_folder() -> None:
    """Raise LoadingError if the folder also has the files of the other project whose package is named pyqmix.

    Whichever of the two was installed last has overwritten files of the first.
    """
    folder = Path(__file__).resolve().parent
    if (folder / _FILE_OF_THE_PUMP_PROJECT).exists():
        _fail(
            f"{folder} holds pyqmix-marl and also the distribution pyqmix, another project's, whose package has "
            "the same name: give each an environment of its own, or run `pip uninstall pyqmix` and install "
            "pyqmix-marl again, from its folder or wheel, with pip's --force-reinstall."
        )


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
