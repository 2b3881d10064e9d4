"""Links of the pages to files of the repository. Tests read them too, without mkdocs."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"(?P<before>!?\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\()(?P<target>[^)\s]+)\)")
FENCE = re.compile(r"^(?P<fence>`{3,}).*?^(?P=fence)$", re.DOTALL | re.MULTILINE)
LANGUAGES = {
    **{".py": "python", ".pyi": "python", ".h": "cpp", ".cpp": "cpp", ".cu": "cuda", ".cuh": "cuda"},
    **{".sh": "bash", ".pml": "c", ".toml": "toml", ".yaml": "yaml", ".md": "markdown"},
}


def linked_symbols(page: Path) -> list[tuple[Path, str]]:
    """Return the source files that a page of docs/ links to, each with the symbol of the link's text."""
    links = LINK.finditer(FENCE.sub("", page.read_text()))
    found = [(outside(str(page.relative_to(ROOT)), link["target"]), symbol_of(link["text"])) for link in links]
    return [(ROOT / path, symbol) for path, symbol in found if path and symbol and Path(path).suffix in LANGUAGES]


def symbol_of(text: str) -> str | None:
    """Return the symbol that the text of a link names; None where it is a file's name, or prose."""
    found = re.fullmatch(r"`([A-Za-z_][\w.:]*)`", text)
    return found[1] if found and "/" not in text and not re.search(r"\.(py|h|cpp|md|sh|pml)$", found[1]) else None


def resolved(origin: str, target: str) -> str | None:
    """Return the path in the repository to which a link of a file leads; None of an anchor and another host."""
    if re.match(r"[a-z]+:", target) or not target:
        return None
    return posixpath.normpath(posixpath.join(posixpath.dirname(origin), target))


def outside(origin: str, target: str) -> str | None:
    """Return the repository's file that a link leads to; None within docs/, to an anchor or to another host."""
    path = resolved(origin, target.partition("#")[0])
    return None if path is None or path.startswith("docs/") else path
