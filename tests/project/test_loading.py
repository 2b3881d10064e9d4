"""The bare source tree, which has no compiled module, says what to do in one sentence."""

import os
import shutil
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

import pytest

import pyqmix
from pyqmix.base.build import versions


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkout")
    installed = Path(pyqmix.__file__).parent  # has the same files
    shutil.copytree(installed, folder / "pyqmix", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    (folder / "CMakeLists.txt").touch()
    return folder


def python(tree, *arguments):
    """Run Python in the tree; -S keeps an editable installation's import hook away."""
    environment = {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib")}
    return subprocess.run(
        [sys.executable, "-S", *arguments], cwd=tree, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "arguments",
    [("-c", "import pyqmix"), ("-c", "from pyqmix.ops import mix"), ("-m", "pyqmix.cli.train", "--env", "lbf")],
    ids=" ".join,
)
def test_one_sentence(tree, arguments):
    ended = python(tree, *arguments)
    assert ended.returncode == 1
    assert ended.stdout == ""
    (sentence,) = ended.stderr.splitlines()
    assert f"run `pip install .` in {tree}" in sentence


def test_tree_that_was_not_cloned(tree, tmp_path):
    shutil.copytree(tree / "pyqmix", tmp_path / "pyqmix")
    (sentence,) = python(tmp_path, "-c", "import pyqmix").stderr.splitlines()
    assert sentence.endswith("reinstall pyqmix-marl with pip.")


def test_folder_shared_with_the_other_project_of_this_name(tree, tmp_path):
    shutil.copytree(tree / "pyqmix", tmp_path / "pyqmix")
    (tmp_path / "pyqmix" / "valve.py").touch()
    (sentence,) = python(tmp_path, "-c", "import pyqmix").stderr.splitlines()
    assert sentence.startswith(f"{tmp_path / 'pyqmix'} holds pyqmix-marl and also the distribution pyqmix,")
    assert "run `pip uninstall pyqmix` and install pyqmix-marl again" in sentence


def test_commands_where_the_other_project_was_installed_last(tree, tmp_path):
    shutil.copytree(tree / "pyqmix", tmp_path / "pyqmix")
    for name in ("__init__.py", "valve.py"):
        (tmp_path / "pyqmix" / name).write_text("")
    ended = python(tmp_path, "-c", "from pyqmix.cli.start import train; train()")
    assert ended.returncode == 1
    (sentence,) = ended.stderr.splitlines()
    assert "and also the distribution pyqmix" in sentence


def test_caller_sees_an_import_error(tree):
    code = "try: import pyqmix\nexcept ImportError as error: print(type(error).__name__)\n1 / 0"
    ended = python(tree, "-c", code)
    assert ended.stdout == "LoadingError\n"
    assert ended.stderr.endswith("ZeroDivisionError: division by zero\n")


def test_versions_without_an_optional_package(monkeypatch):
    installed = metadata.version

    def version(name):
        if name == "lbforaging":
            raise metadata.PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr(metadata, "version", version)
    found = versions()
    assert "lbforaging" not in found
    assert {"pyqmix", "python", "torch", "numpy", "gymnasium"} <= set(found)
