"""Environments, agent networks and mixers that a program brings itself: by name, elsewhere, in saved runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pyqmix.base.errors import ConfigError
from pyqmix.base.registry import Registry
from pyqmix.envs import FAMILIES
from pyqmix.nn import AGENTS, MIXERS

REGISTRIES: dict[str, Registry[Any]] = {"env": FAMILIES, "agent": AGENTS, "mixer": MIXERS}

Factory = Callable[..., Any]


def refer(parts: Mapping[str, Factory | None]) -> dict[str, str]:
    """Return, by option, the names under which classes or functions can now be looked up; None has none.

    Raises:
        ConfigError: one of them cannot be called.
    """
    return {option: REGISTRIES[option].refer(part) for option, part in parts.items() if part is not None}


def brought(values: Mapping[str, Any]) -> dict[str, object]:
    """Return what the program itself brought for a run's options, by option: another process may not find it."""
    named = {option: registry.brought(values[option]) for option, registry in REGISTRIES.items()}
    return {option: given for option, given in named.items() if given is not None}


def restore(values: Mapping[str, Any], given: Mapping[str, object]) -> None:
    """Make known here what another process :func:`brought`."""
    for option, part in given.items():
        REGISTRIES[option].restore(values[option], part)


def require_known(run: Path, option: str, name: str) -> None:
    """Require that an environment, an agent network or a mixer of a saved run is known here.

    Args:
        run: the run's folder, for the message.
        option: ``env``, ``agent`` or ``mixer``.
        name: what the run's config.json has there.

    Raises:
        ConfigError: it is not; the message says how to make it known.
    """
    try:
        REGISTRIES[option][name]
    except ConfigError as error:
        module, colon, attribute = name.partition(":")
        if module == "__main__":
            reason = f"is of the script that trained it; give it as {option}={attribute}"
        elif colon:
            reason = f"cannot be imported here; give it as {option}=...: {error}"
        else:
            reason = (
                f"is not registered here; call pyqmix.register_{option}, install the package that declares it, or "
                f"give it as {option}=...: {error}"
            )
        raise ConfigError(f"{run}: its {option} {name!r} {reason}") from error
