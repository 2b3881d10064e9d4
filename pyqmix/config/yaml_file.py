"""YAML files of options: YAML 1.2's core schema, and no more than JSON can hold.

YAML 1.1, which PyYAML reads by itself, takes ``1e-3`` for text, ``1:10`` for 70 and ``no`` for false.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from pyqmix.base.errors import ConfigError
from pyqmix.base.untrusted import read_text

LARGEST = 1 << 20  # bytes
_TAG = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """A loader that refuses duplicate keys, and aliases, by which a small file can have billions of values."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (PyYAML's own)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(None, None, "aliases are not read", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != f"{_TAG}str":
                raise yaml.MarkedYAMLError(None, None, "expected text as a key", key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(None, None, f"{key.value!r} stands twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


for _name, _pattern, _first in (
    ("null", r"null|~|", ["n", "~", ""]),
    ("bool", r"true|false", list("tf")),
    ("int", r"[-+]?(0|[1-9][0-9_]*)", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(f"{_TAG}{_name}", re.compile(rf"(?:{_pattern})\Z"), _first)


def read_yaml(path: Path, content: str = "options in YAML") -> dict[str, Any]:
    """Read a file of options, or of a sweep. JSON is YAML, too.

    Args:
        path: a regular file of at most 1 MiB.
        content: names its content in the message.

    Raises:
        ConfigError: it is absent or not such a file; has a key twice, an alias, a tag, more levels than Python can
            follow, or something other than a mapping.
    """
    value = parse_yaml(read_text(path, LARGEST, content), str(path), content)
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: expected {content}, a mapping of names to values, got {type(value).__name__}")
    return value


def parse_yaml(text: str, source: str, content: str = "YAML") -> Any:
    """Read a value from YAML.

    Args:
        text: of one document.
        source: where it is from, for the message.
        content: names its content in the message.

    Raises:
        ConfigError: it is no such YAML.
    """
    try:
        value = yaml.load(text, _Loader)
        _require_json(value)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = "" if mark is None else f" in line {mark.line + 1}"
        raise ConfigError(f"{source}: expected {content}, but {error.problem}{where}") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise ConfigError(f"{source}: expected {content}, but {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{source}: expected {content}, but it is nested too deeply") from error
    return value


def _require_json(value: Any) -> None:
    if isinstance(value, dict):
        for each in value.values():
            _require_json(each)
    elif isinstance(value, list):
        for each in value:
            _require_json(each)
    elif not isinstance(value, (str, int, float, bool, type(None))):
        raise ValueError(f"it has a {type(value).__name__}, which is neither text nor a number nor a list")
