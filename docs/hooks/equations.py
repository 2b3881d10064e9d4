"""Equations as MathML, which browsers draw by themselves: no script and no font is fetched."""

from __future__ import annotations

import re
from html import unescape

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

_EQUATION = re.compile(r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<latex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL)


def on_page_content(html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put MathML in the place of the LaTeX that arithmatex has marked."""

    def drawn(found: re.Match[str]) -> str:
        block = found["tag"] == "div"
        math = convert(unescape(found["latex"]).strip(), display="block" if block else "inline")
        return f'<div class="equation">{math}</div>' if block else math

    return _EQUATION.sub(drawn, html)
