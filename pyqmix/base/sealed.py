"""JSON objects that carry a checksum of themselves, so that damage is noticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyqmix.base.errors import ConfigError
from pyqmix.base.untrusted import read_json, texts_in

KEY = "checksum"
LARGEST = 1 << 24  # bytes of a config.json, whose payoffs may be many
LONGEST_TEXT = 4_096  # as long as a path can be


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


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a run's config.json, of which nothing is checked but the checksum, if it has one.

    Raises:
        ConfigError: the file is absent, damaged, or not such a file.
    """
    values = read_json(path, LARGEST, "the options of a run")
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected the options of a run, got {type(values).__name__}")
    if any(len(text) > LONGEST_TEXT for text in texts_in(values)):
        raise ConfigError(f"{path}: expected text of at most {LONGEST_TEXT:,} characters in the options of a run")
    if KEY in values and not is_intact(values):
        raise ConfigError(
            f"{path}: the checksum is wrong: the file is damaged or was edited; without its line {KEY!r} it "
            "is used as it is"
        )
    values.pop(KEY, None)
    return values
