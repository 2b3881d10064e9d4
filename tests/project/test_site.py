"""The built site of the documentation: it needs no network, and its pages find each other."""

import json
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

SITE = Path(os.environ.get("PYQMIX_SITE", ""))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("PYQMIX_SITE"), reason="needs PYQMIX_SITE, the folder of mkdocs build"),
]
FETCHED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    """Collects what a page fetches, where its links lead, and its anchors."""

    def __init__(self, path):
        super().__init__()
        self.fetched, self.links, self.anchors, self.tags = [], [], set(), []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append(tag)
        self.anchors |= {attributes[name] for name in ("id", "name") if attributes.get(name)}
        if attributes.get(FETCHED.get(tag)):
            self.fetched.append(attributes[FETCHED[tag]])
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])


@pytest.fixture(scope="module")
def pages():
    return {path: Page(path) for path in SITE.rglob("*.html") if path.name != "404.html"}


def test_nothing_is_fetched_from_elsewhere(pages):
    assert len(pages) > 30
    for path, page in pages.items():
        for target in page.fetched:
            assert not re.match("(https?:)?//", target), f"{path}: {target}"
    for style in SITE.rglob("*.css"):
        assert not re.search(r"(url\(|@import )[\"']?https?:", style.read_text()), style


def test_links_lead_to_pages_and_anchors(pages):
    for path, page in pages.items():
        for link in page.links:
            target, _, anchor = unquote(link).partition("#")
            if re.match("[a-z]+:", target):
                continue
            found = (path.parent / target).resolve() if target else path
            assert found.is_file(), f"{path}: {link}"
            if anchor and found in pages and not anchor.startswith("__"):
                assert anchor in pages[found].anchors, f"{path}: {link}"


def test_equations_are_drawn_by_the_browser(pages):
    assert pages[SITE / "pseudocode.html"].tags.count("math") > 20
    for path in pages:
        prose = re.sub("<code.*?</code>", "", path.read_text(), flags=re.DOTALL)
        assert not re.search(r"arithmatex|\\[\[(]", prose), path


def test_search_knows_the_options():
    index = json.loads((SITE / "search" / "search_index.json").read_text())
    (entry,) = (each for each in index["docs"] if each["location"] == "reference/options.html#replay")
    assert "prioritised" in entry["text"]


def test_search_works_from_disk():
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("no chromium here: the site was not searched")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000", "--dump-dom"]
    command = [browser, *options, f"{(SITE / 'index.html').as_uri()}?q=truncate"]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert re.search(r"md-search-result__meta\">\s*\d+ matching documents", found)
