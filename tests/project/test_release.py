"""The release: one version, Python versions that agree, the notices of others, the name of the distribution."""

import re
from importlib import metadata
from pathlib import Path

import pytest

import pyqmix

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = (ROOT / "pyproject.toml").read_text()
ABOUT = metadata.metadata("pyqmix-marl")


def test_one_version():
    assert pyqmix.__version__ == ABOUT["Version"]
    assert f"project(pyqmix VERSION {pyqmix.__version__} " in (ROOT / "CMakeLists.txt").read_text()
    assert f"\nversion: {pyqmix.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_python_versions_agree():
    named = re.findall(r"Programming Language :: Python :: 3\.(\d+)", "\n".join(ABOUT.get_all("Classifier")))
    assert re.findall(r"cp3(\d+)-manylinux", PYPROJECT) == named
    assert ABOUT["Requires-Python"] == f">=3.{named[0]}"
    assert f'target-version = "py3{named[0]}"' in PYPROJECT
    assert f'python_version = "3.{named[0]}"' in PYPROJECT


@pytest.mark.parametrize("other", ["NumPy", "PCG", "lbforaging", "jaxmarl", "JAX", "pybind11"])
def test_notices_of_others_are_installed(other):
    (notice,) = [file for file in metadata.files("pyqmix-marl") if file.name == "NOTICE"]
    assert re.search(rf"\b{other}\b", notice.read_text())
    assert notice.read_text() == (ROOT / "NOTICE").read_text()


def test_the_readme_names_the_distribution_first():
    readme = (ROOT / "README.md").read_text()
    assert "`pyqmix-marl`" in readme[: readme.index("\n    pip install")]


def test_the_page_has_the_range_of_torch():
    lowest, cap = re.search(r'"torch>=2\.(\d+),<2\.(\d+)",', PYPROJECT).groups()
    page = (ROOT / "docs" / "howto" / "install.md").read_text()
    tried = {int(minor) for minor in re.findall(r"\| 3\.\d+ \| 2\.(\d+)\.\d+ \|", page)}
    assert {int(lowest), int(cap) - 1} <= tried
    assert f"torch is capped below 2.{cap}" in page
