"""The blocks of the documentation: shell lines, Python, files that a page writes, lines quoted from the source."""

import re
import textwrap
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(
    r"^(?P<fence>`{3,})(?P<language>\w*)(?P<rest>[^\n`]*)\n(?P<text>.*?)^(?P=fence)$", re.DOTALL | re.MULTILINE
)
ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')
INDENTED = re.compile(r"(?:^|\n\n)((?: {4}[^\n]*\n?)+)")
COMMAND = re.compile(r"([A-Z_]+=\S+ )*(pyqmix-\w+|pip|python|torchrun|ray|pytest|mkdocs|tests/\S+|\.ci/run) ")


class Block(NamedTuple):
    """A block of a page.

    Attributes:
        page: its file.
        line: the first line of the text.
        kind: shell or python, which run; file, which is written; quoted, lines of a source file; not run.
        text: what it holds.
        title: the file that it is or is of; of a block that is not run, the reason.
    """

    page: Path
    line: int
    kind: str
    text: str
    title: str = ""

    @property
    def where(self) -> str:
        """The place for messages."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """The lines of a shell block, each whole; those that install from the source are run by ``.ci/run``."""
        whole = re.sub(r"\s*\\\n\s*", " ", self.text)
        lines = [line.strip() for line in whole.splitlines()]
        return [line for line in lines if line and not line.startswith(("#", "pip install .", "pip install '.["))]


def blocks_of(page):
    """Return the blocks of a page in their order; other fences, such as output and diagrams, are left out."""
    text = page.read_text()
    found = [_fenced(page, text, fence) for fence in FENCE.finditer(text)]
    blank = FENCE.sub(lambda fence: "\n" * fence[0].count("\n"), text)  # keeps the numbers of lines
    for indented in INDENTED.finditer(blank):
        lines = textwrap.dedent(indented[1])
        if COMMAND.match(lines):
            found.append(Block(page, _line(blank, indented.start(1)), "shell", lines))
    return sorted((block for block in found if block is not None), key=lambda block: block.line)


def _fenced(page, text, fence):
    attributes = dict(ATTRIBUTE.findall(fence["rest"]))
    title, kind = attributes.get("title", ""), fence["language"]
    if "not-run" in attributes:
        kind, title = "not run", attributes["not-run"]
    elif title and (ROOT / title).is_file() and "/" in title:
        kind = "quoted"
    elif title:
        kind = "file"
    elif kind not in ("shell", "python"):
        return None
    return Block(page, _line(text, fence.start("text")), kind, fence["text"], title)


def _line(text, start):
    return text.count("\n", 0, start) + 1
