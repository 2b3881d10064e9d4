"""Blocks that no test runs say so: ``shell not-run="two machines"`` becomes a small title."""

from __future__ import annotations

import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

MARK = re.compile(r'^(`{3,})(\w+) not-run="([^"]+)"$', re.MULTILINE)


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Show the reason as the block's title."""
    return MARK.sub(r'\1 {.\2 .not-run title="not run by the tests: needs \3"}', markdown)
