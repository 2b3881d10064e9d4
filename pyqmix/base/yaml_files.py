"""YAML files that may come from elsewhere, and their values as text.

Plain scalars are read as YAML 1.2 means them, and numbers as the command line does: ``off`` is text, ``1e-3`` and
``2_000_000`` are numbers. Keys that occur twice and aliases are refused: one of two values would be ignored, and
aliases let a small file stand for a huge value.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import yaml

from pyqmix.base.errors import ConfigError
from pyqmix.base.untrusted import DEEPEST_JSON, LONGEST_NUMBER, read_text

LARGEST = 1 << 17  # bytes, whose reading takes a second
_TAG = "tag:yaml.org,2002:"

_SCALARS = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?[0-9][0-9_]*", list("-+0123456789")),
    "float": (
        r"[-+]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?",
        list("-+.0123456789"),
    ),
    "merge": (r"<<", ["<"]),
}


class _Loader(yaml.SafeLoader):
    """Builds values that JSON can hold."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  (PyYAML's own way)
    yaml_constructors = {  # noqa: RUF012
        tag: build
        for tag, build in yaml.SafeLoader.yaml_constructors.items()
        if tag in (None, *(_TAG + name for name in ("null", "bool", "str", "seq", "map")))
    }

    def fetch_flow_collection_start(self, token: Any) -> None:
        if self.flow_level >= DEEPEST_JSON:  # PyYAML's time grows with the square of the depth
            raise RecursionError
        super().fetch_flow_collection_start(token)

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(None, None, "aliases are not supported", self._mark())
        return super().compose_node(parent, index)

    def _mark(self) -> Any:
        return self.peek_event().start_mark  # type: ignore[no-untyped-call]

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.MarkedYAMLError(None, None, f"the key {key.value!r} occurs twice", key.start_mark)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return super().construct_mapping(node, deep)

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        text = str(node.value)
        if len(text) > LONGEST_NUMBER:
            raise yaml.MarkedYAMLError(None, None, f"a number of {len(text)} characters", node.start_mark)
        value = int(text) if node.tag == f"{_TAG}int" else float(text)
        if not math.isfinite(value):
            raise yaml.MarkedYAMLError(None, None, f"{text} is not finite", node.start_mark)
        return value


class _Dumper(yaml.SafeDumper):
    """Writes a line for each key, and quotes text that some reader of YAML would take for something else."""

    def represent(self, data: Any) -> None:
        node: Any = self.represent_data(data)
        node.flow_style = False
        self.serialize(node)

    def ignore_aliases(self, data: Any) -> bool:
        return True


for _name, (_pattern, _first) in _SCALARS.items():
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(f"{_TAG}{_name}", re.compile(f"(?:{_pattern})$"), _first)
for _name in ("int", "float"):
    _Loader.add_constructor(f"{_TAG}{_name}", _Loader.construct_number)


def read_yaml(path: Path, content: str = "YAML") -> Any:
    """Read a YAML file of one document, as :func:`pyqmix.base.untrusted.read_text` does.

    Args:
        path: the file, of at most 128 KiB.
        content: names its content in messages.

    Returns:
        None for an empty file.

    Raises:
        ConfigError: it cannot be read, or is not such YAML; the message has the line.
    """
    text = read_text(path, LARGEST, content)
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}" if mark else ""
        problem = str(error.problem or error.context).removeprefix("but ")
        raise ConfigError(f"{path}{where}: expected {content}, but {problem}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: expected {content}, but it is nested too deeply") from error
    except (yaml.YAMLError, ValueError, KeyError) as error:
        raise ConfigError(f"{path}: expected {content}, but {error}") from error


def read_options(path: Path, content: str, example: str) -> dict[str, Any]:
    """Read options, one or more, from a YAML file; a name may have hyphens in place of underscores.

    Args:
        path: the file.
        content: names its content in messages.
        example: a line of such a file, for messages.

    Raises:
        ConfigError: it cannot be read, has something else, or has an option twice.
    """
    found = read_yaml(path, content)
    if not isinstance(found, dict):
        got = "an empty file" if found is None else f"a {type(found).__name__}"
        raise ConfigError(f"{path}: expected {content}, such as a line {example!r}, got {got}")
    values: dict[str, Any] = {}
    for key, value in found.items():
        name = str(key).replace("-", "_")
        if name in values:
            raise ConfigError(f"{path}: the option {name} occurs twice")
        values[name] = value
    return values


def to_yaml(values: dict[str, Any]) -> str:
    """Write plain values as YAML that :func:`read_yaml` reads back exactly."""
    text: str = yaml.dump(values, Dumper=_Dumper, sort_keys=False, default_flow_style=True, width=110)
    return text
