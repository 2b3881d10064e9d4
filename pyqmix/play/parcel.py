"""The things that worker processes need from the program: its options, classes, and registered environments.

Classes and functions of the main script, of a notebook, or of another function travel by value (cloudpickle), so
that workers need not import the script. They import it where it trains under ``if __name__ == "__main__":``, as
multiprocessing does, because its other lines may prepare what the environment needs. A script without that line
would train again in each worker.
"""

from __future__ import annotations

import ast
import io
import marshal
import multiprocessing.spawn as spawn
import pickle
import sys
import threading
import warnings
from collections import ChainMap, Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import CodeType
from typing import Any, ClassVar

import cloudpickle

from pyqmix.base.errors import ConfigError
from pyqmix.config import Config
from pyqmix.config.parts import brought
from pyqmix.envs import FAMILIES

_A_PACKAGE_S_OWN = 100  # more tasks than these are registered by their package, where it is imported
_MAIN = ("init_main_from_name", "init_main_from_path")  # of multiprocessing's preparation of a process
_LOCK = threading.Lock()


@dataclass(frozen=True)
class Parcel:
    """A config and the environments that the program has registered, for other processes.

    Attributes:
        packed: both, pickled, so that an error of unpickling them reaches the trainer.
        imports_main: whether the processes import the main script.
    """

    packed: bytes
    imports_main: bool

    @classmethod
    def of(cls, config: Config) -> Parcel:
        """Pack a config.

        Raises:
            ConfigError: the environment or the agent network cannot be sent.
        """
        acting = config.replace(mixer="vdn", mixer_args=None)  # a user's mixer need not be one that can be sent
        guarded = _has_guard()
        try:
            named, tasks = _own_tasks(config.task_name)
            with _by_value([*brought(vars(config)).values(), *(task.entry_point for task in named)]):
                packed = _dumps((acting, named, _each(tasks), _each(FAMILIES.all_brought().items())))
            return cls(packed, guarded)
        except Exception as error:  # an object may refuse by any exception
            if guarded:
                with suppress(Exception):
                    return cls(pickle.dumps((acting, [], [], [])), imports_main=True)
            raise ConfigError(
                f"{_unsendable(config)} cannot be sent to worker processes: {error}; define it at "
                "the top level of a module, or set num_workers 0"
            ) from error

    @contextmanager
    def main_script(self) -> Iterator[None]:
        """Let processes that are started in this block import the main script, or not."""
        if self.imports_main:
            yield
            return
        with _LOCK:
            prepare, thread = spawn.get_preparation_data, threading.get_ident()

            def prepare_without_main(name: str) -> dict[str, Any]:
                data = prepare(name)
                return {k: x for k, x in data.items() if k not in _MAIN or threading.get_ident() != thread}

            spawn.get_preparation_data = prepare_without_main
            try:
                yield
            finally:
                spawn.get_preparation_data = prepare


def unpack(packed: bytes) -> Config:
    """Make the program's environments known in this process, and return its config.

    Raises:
        ConfigError: a module or a name that they need is missing here.
    """
    try:
        config, named, tasks, families = pickle.loads(packed)
    except (AttributeError, ImportError, pickle.UnpicklingError) as error:
        raise ConfigError(
            f"num_workers: worker processes cannot find what they need: {error}; define it at the top level of a "
            "module that they can import, or set num_workers 0"
        ) from error
    for name, given in _found(families):
        FAMILIES.restore(name, given)
    if named or tasks:
        import gymnasium

        for task in (*named, *_found(tasks)):
            gymnasium.registry.setdefault(task.id, task)
        warnings.filterwarnings("ignore", ".*Overriding environment .* already in registry")
    made: Config = config
    return made


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Keeps the files and lines of functions, which tracebacks show."""

    dispatch_table: ClassVar[Any] = ChainMap(
        {CodeType: lambda code: (marshal.loads, (marshal.dumps(code),))}, cloudpickle.Pickler.dispatch_table
    )


def _dumps(thing: object) -> bytes:
    file = io.BytesIO()
    _Pickler(file).dump(thing)
    return file.getvalue()


def _has_guard() -> bool:
    """Whether the main script has a line ``if __name__ == "__main__":``, so that it can be imported."""
    path = getattr(sys.modules.get("__main__"), "__file__", None)
    try:
        with open(path or "", "rb") as file:
            lines = ast.parse(file.read()).body
    except (OSError, SyntaxError, ValueError):  # none, of a notebook or a pipe, or no source
        return False
    tests = [ast.walk(line.test) for line in lines if isinstance(line, ast.If)]
    return any(isinstance(node, ast.Name) and node.id == "__name__" for nodes in tests for node in nodes)


@contextmanager
def _by_value(things: Iterable[object]) -> Iterator[None]:
    """Send things by value in this block whose modules were loaded in a way that a worker does not know."""
    names = {str(getattr(getattr(thing, "func", thing), "__module__", "")) for thing in things}
    modules = [sys.modules[name] for name in names if name in sys.modules and not _is_importable(name)]
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)


def _is_importable(module: str) -> bool:
    """Whether an import finds a module's package, and not only ``sys.modules`` has it."""
    package = module.partition(".")[0]
    finders = [finder for finder in sys.meta_path if hasattr(finder, "find_spec")]
    return package == "__main__" or any(finder.find_spec(package, None) is not None for finder in finders)


def _own_tasks(name: str | None) -> tuple[list[Any], list[Any]]:
    """Return the task of a name, and others, that the program has registered with gymnasium."""
    if "gymnasium" not in sys.modules:
        return [], []
    import gymnasium

    known = [(task, _package(task)) for task in gymnasium.registry.values()]
    counts = Counter(package for _, package in known)
    own = [task for task, package in known if package != "gymnasium" and counts[package] <= _A_PACKAGE_S_OWN]
    return [task for task in own if task.id == name], [task for task in own if task.id != name]


def _package(task: Any) -> str:
    """Return the package whose environment a task is; that of the program where it is a class or a function."""
    entry = task.entry_point
    return entry.partition(":")[0].partition(".")[0] if isinstance(entry, str) else "__main__"


def _each(things: Iterable[object]) -> list[bytes]:
    """Pack things that an environment may need, each by itself; leave out those that cannot be sent."""
    packed: list[bytes] = []
    for thing in things:
        with suppress(Exception):  # an object may refuse by any exception
            packed.append(_dumps(thing))
    return packed


def _found(packed: Iterable[bytes]) -> Iterator[Any]:
    """Yield the things of :func:`_each`, but for those that need what is missing here."""
    for each in packed:
        with suppress(Exception):
            yield pickle.loads(each)


def _unsendable(config: Config) -> str:
    """Name the environment of a run that cannot be pickled, or its agent network if that cannot be."""
    agent = _each([brought(vars(config)).get("agent")])
    return f"env: {config.task_name or config.env}" if agent else f"agent: {config.agent}"
