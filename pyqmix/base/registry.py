"""Tables of named things: pyqmix's own, registered ones, those of installed packages, and ``module:attribute``."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from itertools import chain, count, groupby
from threading import Lock
from typing import Any, Generic, TypeVar, cast

from pyqmix.base.errors import ConfigError, unknown

T = TypeVar("T")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class Registry(Mapping[str, T], Generic[T]):
    """Things by name. Iterating gives those in memory; looking a name up also loads it from where it is.

    A name is one of pyqmix's own, a registered one, one that an installed package declares as an entry point, or
    ``module:attribute``, which is imported.

    Args:
        option: the option that names them, for error messages.
        group: the entry points' group.
        own: pyqmix's own; text ``module:attribute`` is imported when its name is first looked up.
        wrap: makes an entry of a name and an object that was loaded or given.

    Raises:
        ConfigError: of every method that looks up or registers; the message names the option.
    """

    def __init__(self, option: str, group: str, own: Mapping[str, T | str], wrap: Callable[[str, Any], T]) -> None:
        self.option, self.group = option, group
        self._wrap = wrap
        self._own, self._entries = frozenset(own), dict(own)  # text: not imported yet
        self._brought: dict[str, T] = {}  # by the running program
        self._naming = Lock()

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __getitem__(self, name: str) -> T:
        self.check(self.option, name)
        entry = self._entries.get(name, name)
        if isinstance(entry, str):
            points = self._installed().get(entry)
            found = _load_point(self.option, points[0]) if points else _load(self.option, entry)
            entry = self._entries[name] = self._wrap(name, found)
        return entry

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that is known without importing anything."""
        return tuple(dict.fromkeys([*(n for n in self._entries if ":" not in n), *self._installed()]))

    def check(self, option: str, name: object) -> None:
        """Raise ConfigError unless a name is known or has the form ``module:attribute``; nothing is loaded."""
        if not isinstance(name, str) or (name not in self.names and not _is_reference(name)):
            raise unknown(option, name, self.names)
        homes = [*(["pyqmix"] if name in self._own else []), *map(_package, self._installed().get(name, ()))]
        if len(homes) > 1:
            raise ConfigError(f"{option}: the name {name!r} is declared by several packages: {', '.join(homes)}")

    def imports(self, name: str) -> str | None:
        """Return the module that looking a name up would import by that name; None where the name is known."""
        known = name in self._entries or name in self._installed()
        return None if known or not _is_reference(name) else name.partition(":")[0]

    def register(self, name: str, given: object) -> None:
        """Add a thing under a name of its own; the same class or function may be registered again."""
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ConfigError(f"{self.option}: expected a name of letters, digits, '_', '-' and '.', got {name!r}")
        if name in self.names and not (name in self._brought and _same(self._brought[name], given)):
            raise ConfigError(f"{self.option}: the name {name!r} is registered already")
        self._bring(name, given)

    def refer(self, given: object) -> str:
        """Return the name ``module:attribute`` of a class or function, under which it can now be looked up.

        Several lambdas, classes of a function, or partials may have one such name; the later ones get a number, so
        that each run means its own.
        """
        if not callable(given):
            raise ConfigError(f"{self.option}: expected a class or a function, got {given!r}")
        named, call = cast(Any, given), ""
        if not hasattr(given, "__qualname__"):  # a partial or an object, which its class cannot stand in for
            named, call = getattr(given, "func", cast(Any, type(given))), "(...)"
        name = f"{named.__module__}:{named.__qualname__}{call}"
        if call or "<" in name:
            others = (f"{name}#{k}" for k in count(2))
            with self._naming:  # another thread may have something else of the same name
                name = next(x for x in chain([name], others) if self._brought.get(x, given) is given)
                self._bring(name, given)
        else:
            self._bring(name, given)
        return name

    def brought(self, name: str) -> object | None:
        """Return what the running program gave for a name, which another process cannot look up."""
        return self._brought.get(name)

    def all_brought(self) -> dict[str, object]:
        """Return all that the running program gave, by name."""
        return dict(self._brought)

    def restore(self, name: str, given: object) -> None:
        """Add what another process :meth:`brought`, unless this process has it already."""
        if name not in self._entries:
            self._bring(name, given)

    def _bring(self, name: str, given: object) -> None:
        self._entries[name] = self._wrap(name, given)
        self._brought[name] = given  # type: ignore[assignment]

    def _installed(self) -> dict[str, tuple[EntryPoint, ...]]:
        return _entry_points(self.group)


@lru_cache
def _entry_points(group: str) -> dict[str, tuple[EntryPoint, ...]]:
    points = sorted(entry_points(group=group), key=lambda point: point.name)
    return {name: tuple(of_name) for name, of_name in groupby(points, key=lambda point: point.name)}


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.value


def _is_reference(name: str) -> bool:
    module, colon, attribute = name.partition(":")
    return bool(module and colon and attribute) and "/" not in name


def _same(one: object, other: object) -> bool:
    """Whether two are one, or a class or function and its copy from a module that was run again."""
    names = [(getattr(x, "__module__", None), getattr(x, "__qualname__", x)) for x in (one, other)]
    return one is other or (callable(one) and "<" not in str(names[0][1]) and names[0] == names[1])


def _load(option: str, name: str) -> object:
    module, _, attribute = name.partition(":")
    try:
        found: object = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        where = " (the script that was run)" if module == "__main__" else ""
        raise ConfigError(f"{option}: cannot import {name!r}{where}: {error}") from error
    return found


def _load_point(option: str, point: EntryPoint) -> object:
    try:
        found: object = point.load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{option}: {point.name!r} of {_package(point)} cannot be loaded: {error}") from error
    return found
