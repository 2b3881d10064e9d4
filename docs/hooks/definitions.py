"""Where the lines of a source file define a symbol, for links of the documentation."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

_COMMENT = ("//", "#", "*", "/*")


def line_of(path: Path, symbol: str) -> int | None:
    """Return the number of the line that defines a symbol; None where no line does.

    Args:
        path: a source file.
        symbol: a name; in Python ``Class.name`` too. Elsewhere the first line of code that has the last part of
            the name counts as its definition.
    """
    text = path.read_text()
    if path.suffix in (".py", ".pyi"):
        return dict(_definitions(ast.parse(text).body)).get(symbol)
    word = re.compile(rf"\b{re.escape(symbol.rpartition('::')[2])}\b")
    for number, line in enumerate(text.splitlines(), 1):
        if word.search(line) and not line.lstrip().startswith(_COMMENT):
            return number
    return None


def _definitions(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, int]]:
    for node in body:
        match node:
            case ast.ClassDef():
                yield prefix + node.name, node.lineno
                yield from _definitions(node.body, f"{prefix}{node.name}.")
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield prefix + node.name, node.lineno
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield prefix + name, node.lineno
