"""Whether the extension has a network's kind, so that it acts or learns in the network's place."""

from __future__ import annotations

from typing import cast

from pyqmix.nn.layered_agent import LayeredAgent
from pyqmix.nn.qmixer import QMixer
from pyqmix.nn.untouched import is_watched


def native_kind(network: object) -> str | None:
    """Return a network's ``native_kind`` if every layer and method of it is as it was made; else None.

    A hook, an adapter, a parametrisation or a replaced layer would be left out by the extension.
    """
    kind = cast("str | None", getattr(network, "native_kind", None))
    if kind is None or not isinstance(network, (LayeredAgent, QMixer)) or is_watched(network):
        return None
    has_own_methods = any(
        callable(value) and hasattr(type(network), name) for name, value in vars(network).items()
    )
    return None if has_own_methods or network.untouched_parameters() is None else kind
