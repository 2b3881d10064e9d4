"""Every block of docs/extend.md works as it stands: one script, a package with its entry points, commands."""

import re
import shutil
from pathlib import Path

import pytest
from consoles import run_command, run_script

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "extend.md").read_text()
PYTHON = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
(TOML,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
(MODULE,) = (block for block in PYTHON if "`my_envs/__init__.py`:\n\n```python\n" + block in PAGE)
COMMANDS = re.findall(r"^    (pyqmix-.*)$", PAGE, re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with examples/ and, installed in it, the page's package."""
    folder = tmp_path_factory.mktemp("extend")
    shutil.copytree(ROOT / "examples", folder / "examples")
    (folder / "my_envs").mkdir()
    (folder / "my_envs" / "__init__.py").write_text(MODULE)
    info = folder / "my_envs-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-envs\nVersion: 0.1\n")
    groups = re.findall(r"^\[project\.entry-points\.(\"pyqmix\.\w+\")\]\n((?:.+\n)+)", TOML, re.MULTILINE)
    points = "".join(f"[{group}]\n{lines}" for group, lines in groups).replace('"', "")
    (info / "entry_points.txt").write_text(points)
    return folder


@pytest.mark.slow
def test_the_blocks_of_python_are_one_script(folder):
    (folder / "extend.py").write_text("\n".join(block for block in PYTHON if block != MODULE))
    run_script("extend.py", folder)


@pytest.mark.slow
def test_the_package_is_found_by_its_entry_points(folder):
    shown = " ".join(run_command("pyqmix-train --help", folder, folder).split())
    for option in ("--env", "--agent", "--mixer"):
        assert re.search(rf"{option} NAME .*?One of [^.]*\bmine\b", shown), option
    for command in COMMANDS:
        short = re.sub(r" --total-steps \d+", "", command) + " --total-steps 300 --eval-episodes 2 --batch-size 4"
        run_command(short, folder, folder)


def test_links_lead_to_files():
    for target in re.findall(r"\]\((?!http|#)([^)]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
