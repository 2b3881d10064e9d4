"""Files of the repository as pages of the site, where pages link to them.

Pages link as a reader of the repository needs it: ``[`make_targets`](../pyqmix/learn/targets.py)``. In the site
the file is a page of its own, and the link leads to the line that defines the symbol of its text. A symbol that no
line defines fails the build.
"""

from __future__ import annotations

import posixpath
import re
import subprocess
from collections import defaultdict
from pathlib import Path

import definitions
from links import FENCE, LANGUAGES, LINK, ROOT, outside, resolved, symbol_of
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

HOME = "repository/"

_origins: dict[str, str] = {}  # of a page in the site: the file of the repository that it shows
_symbols: dict[str, set[str]] = defaultdict(set)  # by page: those that links lead to


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add a page for each file outside of docs/ that a page links to, and so on."""
    _origins.clear()
    _symbols.clear()
    waiting = [file.src_uri for file in files.documentation_pages()]
    _origins.update({uri: f"docs/{uri}" for uri in waiting})
    while waiting:
        page = files.get_file_from_path(waiting.pop())
        assert page is not None
        for link in LINK.finditer(FENCE.sub("", page.content_string)):
            path = outside(_origins[page.src_uri], link["target"])
            if path is None:
                continue
            uri = _site_uri(path)
            if (symbol := symbol_of(link["text"])) and uri.endswith(".md"):
                _symbols[uri].add(symbol)
            if files.get_file_from_path(uri) is None:
                files.append(_page_of(config, path, uri))
                _origins[uri] = path
                if uri == HOME + path and path.endswith(".md"):
                    waiting.append(uri)
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links to files outside of docs/ lead to their pages."""
    uri = page.file.src_uri
    origin = _origins.get(uri)
    if origin is None or (uri.startswith(HOME) and not origin.endswith(".md")):
        return markdown

    def lead(link: re.Match[str]) -> str:
        target, _, anchor = link["target"].partition("#")
        path = outside(origin, link["target"]) if origin.startswith("docs/") else resolved(origin, target)
        if path is None:
            return link[0]
        found = path.removeprefix("docs/") if path.startswith("docs/") else _site_uri(path)
        symbol = symbol_of(link["text"])
        anchor = symbol if symbol in _symbols[found] else anchor
        return f"{link['before']}{posixpath.relpath(found, posixpath.dirname(uri))}{'#' * bool(anchor)}{anchor})"

    kept: list[str] = []

    def keep(block: re.Match[str]) -> str:
        kept.append(block[0])
        return f"\0{len(kept) - 1}\0"

    led = LINK.sub(lead, FENCE.sub(keep, markdown))
    return re.sub("\0(\\d+)\0", lambda place: kept[int(place[1])], led)


def on_page_content(html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Give the lines that define linked symbols anchors of their names."""
    uri = page.file.src_uri
    for symbol in sorted(_symbols.get(uri, ())):
        line = definitions.line_of(ROOT / _origins[uri], symbol)
        if line is None:
            raise PluginError(f"{_origins[uri]}: expected a definition of {symbol}, which a page links to")
        html = html.replace(f'id="__span-0-{line}"', f'id="{symbol}"')
        assert page.present_anchor_ids is not None
        page.present_anchor_ids.add(symbol)
    return html


def _site_uri(path: str) -> str:
    """Return where a file of the repository lies in the site's sources."""
    if (ROOT / path).is_dir() or (path.endswith(tuple(LANGUAGES)) and not path.endswith(".md")):
        return f"{HOME}{path}.md"
    return HOME + path


def _page_of(config: MkDocsConfig, path: str, uri: str) -> File:
    source = ROOT / path
    if source.is_dir():
        names = subprocess.run(
            ["git", "ls-files", "."], cwd=source, capture_output=True, text=True, check=True
        ).stdout.split()
        return File.generated(config, uri, content="\n".join([f"# {path}/\n", *(f"- `{name}`" for name in names)]))
    if not source.is_file():
        raise PluginError(f"{path}: expected a file that a page links to")
    if uri != HOME + path:
        return File.generated(config, uri, content=_listing(path, source.read_text()))
    if path.endswith(".md"):
        return File.generated(config, uri, content=source.read_text())
    return File.generated(config, uri, abs_src_path=str(source))


def _listing(path: str, text: str) -> str:
    fence = "`" * max([3, *(len(found) + 1 for found in re.findall("`{3,}", text))])
    front = "---\nhide: [navigation, toc]\nsearch: {exclude: true}\n---\n"
    language = LANGUAGES[Path(path).suffix]
    return f'{front}# {path}\n\n{fence}{language} linenums="1"\n{text.rstrip()}\n{fence}\n'
