"""The options that runs of some environment have; a sweep's file may have any of them."""

from __future__ import annotations

from pyqmix.base.errors import ConfigError, near
from pyqmix.base.options import Kind, Text, kinds_of
from pyqmix.config.options import RunOptions
from pyqmix.envs import FAMILIES

OptionKind = Kind | Text | None
"""The kind of an option; None is a flag's."""


def known_kinds() -> dict[str, OptionKind]:
    """Return the kinds of all these options by name."""
    kinds: dict[str, OptionKind] = {}
    for family in FAMILIES.values():
        kinds.update(kinds_of(family.options))  # type: ignore[arg-type]
    return {**kinds, **kinds_of(RunOptions)}


def require_kind(name: str) -> OptionKind:
    """Return the kind of an option.

    Raises:
        ConfigError: no run has it.
    """
    kinds = known_kinds()
    if name not in kinds:
        raise ConfigError(f"unknown option {name!r}{near(name, kinds)}")
    return kinds[name]
