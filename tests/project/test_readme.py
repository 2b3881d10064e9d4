"""The README's lines of Python work, and no command has an idle part; test_docs.py runs the commands."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pyqmix.cli import train
from pyqmix.run.idle_notes import idle_notes

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
ENVIRONMENTS = (ROOT / "docs" / "environments.md").read_text()
COMMANDS = [line.strip() for line in README.splitlines() if line.startswith("    ")]
COMMANDS += [line.strip() for line in ENVIRONMENTS.splitlines() if line.startswith("    pyqmix-")]
SETUP = ["pip install . && pyqmix-train --env lbf", "pip install '.[test]' && pytest"]


def shell(command, folder):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(folder)}
    return subprocess.run(command, shell=True, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_set_up_commands_stand_in_the_readme_and_in_ci():
    assert [line for line in COMMANDS if line in SETUP] == SETUP
    assert SETUP[1] in (ROOT / ".ci" / "run").read_text()


def test_no_command_has_a_part_that_does_nothing(monkeypatch):
    trained = []
    monkeypatch.setattr("pyqmix.run.trainer.train", lambda config, **_: trained.append(config))
    commands = [line.removeprefix(SETUP[0].split("pyqmix")[0]) for line in COMMANDS]
    for command in commands:
        if re.match(r"pyqmix-train --(env lbf|preset) ", command + " "):
            monkeypatch.setattr(sys, "argv", shlex.split(command, comments=True))
            with pytest.raises(AttributeError):  # behind the training
                train.main()
    notes = [idle_notes(config, config.create_env().spec.episode_limit) for config in trained]
    assert notes == [[]] * len(notes)
    assert len(notes) >= 5


def test_python_example(tmp_path):
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    script = tmp_path / "example.py"
    script.write_text(example.replace("total_steps=100_000", "total_steps=300, eval_episodes=2"))
    run = shell(f"{sys.executable} {script}", tmp_path)
    assert run.returncode == 0, run.stderr


def test_python_example_of_the_environments(tmp_path):
    lines = [line[4:] for line in ENVIRONMENTS.splitlines() if re.match(r"    (?!pyqmix-)", line)]
    script = tmp_path / "example.py"
    script.write_text("\n".join(["import pyqmix", *lines, "assert picture.ndim == 3 and len(rewards) == 3"]))
    run = shell(f"{sys.executable} {script}", tmp_path)
    assert run.returncode == 0, run.stderr


def test_files_that_the_readme_points_to_exist():
    for target in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (ROOT / target).is_file(), target
