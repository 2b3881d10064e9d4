"""Every block of the documentation runs as it stands, only shorter; quoted lines and links lead to the source."""

import ast
import re
import shutil
from collections import Counter

import pytest
from definitions import line_of
from doc_pages import PAGES, ROOT, blocks_of
from links import linked_symbols
from page_session import PageSession

BLOCKS = {page: blocks_of(page) for page in PAGES}
# Their blocks have tests of their own: test_extend.py, test_export_page.py.
ELSEWHERE = {ROOT / "docs" / "extend.md", ROOT / "docs" / "howto" / "export.md"}
EXTRAS = {"docs/howto/loggers.md": ("wandb",), "docs/cluster.md": ("ray",)}  # that a page's blocks import
SESSION_PAGES = [page for page in PAGES if page not in ELSEWHERE and BLOCKS[page]]


def name(page):
    return str(page.relative_to(ROOT))


@pytest.fixture(scope="module")
def session():
    session = PageSession()
    yield session
    session.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", SESSION_PAGES, ids=name)
def test_a_page_runs(page, session, tiny_run, tmp_path):
    for extra in EXTRAS.get(name(page), ()):
        pytest.importorskip(extra)
    for folder in ("RUN_DIR", "runs/DIR"):  # which some pages name, for a run that the reader has
        shutil.copytree(tiny_run, tmp_path / folder)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    shutil.copy(ROOT / "tests" / "helpers" / "my_module.py", tmp_path)  # which the README's commands name
    runs = [block for block in BLOCKS[page] if block.kind in ("shell", "python", "file")]
    assert session.run(tmp_path, runs) == ""


def test_blocks_are_counted_and_those_that_do_not_run_say_why(capsys):
    blocks = [block for page in PAGES for block in BLOCKS[page]]
    counts = Counter(block.kind for block in blocks)
    with capsys.disabled():
        run = counts["shell"] + counts["python"] + counts["file"]
        print(
            f"\n{run} blocks of the documentation are run ({counts['shell']} of the shell, {counts['python']} of"
        )
        print(f"Python, {counts['file']} files), {counts['quoted']} are compared with the source, and")
        print(f"{counts['not run']} are not run:")
        for block in blocks:
            if block.kind == "not run":
                print(f"  {block.where}: needs {block.title}")
    assert all(block.title for block in blocks if block.kind == "not run")
    assert counts["shell"] > 0


def test_blocks_of_python_are_python():
    for page in PAGES:
        for block in BLOCKS[page]:
            if block.kind == "python" or (block.kind == "file" and block.title.endswith(".py")):
                ast.parse(block.text, block.where)


def test_quoted_lines_stand_in_the_source():
    for page in PAGES:
        for block in BLOCKS[page]:
            if block.kind == "quoted":
                source = [line.strip() for line in (ROOT / block.title).read_text().splitlines()]
                quoted = [line.strip() for line in block.text.splitlines()]
                places = range(len(source) - len(quoted) + 1)
                assert any(source[k : k + len(quoted)] == quoted for k in places), block.where


def test_links_to_symbols_lead_to_their_definitions():
    links = [(page, *link) for page in PAGES for link in linked_symbols(page)]
    for page, source, symbol in links:
        assert line_of(source, symbol) is not None, f"{name(page)}: {symbol} in {source}"


def test_links_between_files_lead_to_files():
    generated = {"docs/reference/options.md", "docs/reference/presets.md"}
    for page in PAGES:
        for target in re.findall(
            r"\]\((?!http|#)([^)#\s]+)", re.sub("```.*?```", "", page.read_text(), flags=re.S)
        ):
            path = (page.parent / target).resolve()
            assert path.exists() or name(path) in generated, f"{name(page)}: {target}"
