"""The examples run, learn, stay short, and docs/extend.md walks through them."""

import re
import shutil
from pathlib import Path

import pytest
from consoles import run_command, run_script

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
AT_LEAST = {"gymnasium_env": 0.9, "pettingzoo_env": 0.7, "mixer": 7.5, "agent": 0.6, "policy": 0.9}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder that holds examples/, and no source tree of pyqmix."""
    folder = tmp_path_factory.mktemp("examples")
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short_and_documented(example):
    assert len(example.read_text().splitlines()) <= 60
    assert f"](../examples/{example.name})" in (ROOT / "docs" / "extend.md").read_text()


def test_five_examples_are_measured():
    assert {example.stem for example in EXAMPLES} == set(AT_LEAST)


@pytest.mark.slow
@pytest.mark.parametrize("name", AT_LEAST)
def test_an_example_learns(name, folder):
    printed = run_script(f"examples/{name}.py", folder)
    assert float(printed.split()[-1]) >= AT_LEAST[name], printed


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_commands_of_an_example_run(example, folder):
    commands = re.findall(r"^    ((?:pyqmix-train|python) .*)$", example.read_text().split('"""')[1], re.MULTILINE)
    assert commands
    for command in commands:
        short = re.sub(r" --total-steps \d+", "", command) + " --total-steps 200 --eval-episodes 2 --batch-size 4"
        run_command(short if command.startswith("pyqmix-train") else command, folder)
