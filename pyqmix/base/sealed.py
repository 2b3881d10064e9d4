"""JSON objects that carry a checksum of themselves, so that damage is noticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

KEY = "checksum"


def sealed(values: Mapping[str, Any]) -> str:
    """Write a JSON object with its checksum as the last entry."""
    return json.dumps({**values, KEY: checksum(values)}, indent=2) + "\n"


def is_intact(values: Mapping[str, Any]) -> bool:
    """Whether a JSON object's checksum is that of its other entries."""
    return values.get(KEY) == checksum({name: value for name, value in values.items() if name != KEY})


def checksum(values: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a JSON object, whatever the order and the spaces that it was written with."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
