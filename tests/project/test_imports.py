"""Imports and includes point one way: between folders by their levels, inside a folder without a circle."""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import pyqmix

# From the bottom up. Folders of one level do not import each other.
LEVELS = (
    {"_C"},
    {"_loading", "base"},
    {"ops"},
    {"replay", "envs", "nn"},
    {"loggers"},
    {"config"},
    {"play", "learn"},
    {"methods"},
    {"run"},
    {"export", "figures"},
    {"sweep"},
    {"cli", "presets"},
)
PACKAGE = Path(pyqmix.__file__).parent
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")

ROOT = Path(__file__).resolve().parents[2]
C_LEVELS = ({"base"}, {"gemm", "episode"}, {"ops"}, {"learn", "replay", "envs"}, {"play"}, {"bindings"})
C_FILES = sorted(path for path in (ROOT / "csrc").rglob("*") if path.suffix in (".h", ".cpp", ".cu", ".cuh"))


def level_of(folder, levels):
    return next((level for level, folders in enumerate(levels) if folder in folders), None)


def imports(source):
    """Dotted names of pyqmix's own that a source imports, the names taken from a module behind the module's."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            names = []
        yield from (name.removeprefix("pyqmix.") for name in names if name.startswith("pyqmix."))


def upward(folder, imported, levels):
    """Folders among the first parts of ``imported`` that do not lie below ``folder``."""
    level = level_of(folder, levels)
    assert level is not None, f"a new folder, {folder}: give it a level"
    others = {re.split(r"[./]", name)[0] for name in imported} - {folder}
    return {other for other in others if (found := level_of(other, levels)) is not None and found >= level}


def module_graph(files, package):
    """Map each module to the modules that it imports, a package's name standing for its ``__init__``."""
    sources = {".".join(p.relative_to(package).with_suffix("").parts): p.read_text() for p in files}
    modules = {name.removesuffix(".__init__"): text for name, text in sources.items()}

    def module_of(name):
        return name if name in modules else name.rpartition(".")[0]

    return {name: {module_of(x) for x in imports(text)} & modules.keys() for name, text in modules.items()}


def require_no_circle(graph):
    tuple(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path):
    folder = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert upward(folder, imports(path.read_text()), LEVELS) == set()


def test_no_circle_inside_folders():
    require_no_circle(module_graph(FILES, PACKAGE))


@pytest.mark.parametrize("path", C_FILES, ids=lambda path: str(path.relative_to(ROOT / "csrc")))
def test_includes_point_down(path):
    folder = path.relative_to(ROOT / "csrc").parts[0]
    included = re.findall(r'^#include "(.*)"$', path.read_text(), re.MULTILINE)
    assert upward(folder, included, C_LEVELS) == set()


def test_no_circle_among_headers():
    root = ROOT / "csrc"
    names = {str(path.relative_to(root)): path.read_text() for path in C_FILES}
    found = {name: re.findall(r'^#include "(.*)"$', text, re.MULTILINE) for name, text in names.items()}
    require_no_circle({name: {x for x in included if x in names} for name, included in found.items()})


def test_what_points_up_is_seen():
    assert upward("ops", imports("from pyqmix import learn\nimport pyqmix.run.trainer"), LEVELS) == {
        "run",
        "learn",
    }
    assert upward("envs", ["replay/episode_ring.h", "base/rows.h"], C_LEVELS) == {"replay"}
    with pytest.raises(CycleError):
        require_no_circle({"ops.gru": {"ops.mixing"}, "ops.mixing": {"ops.gru"}})


def kernels():
    """Name the extension's functions that take tensors."""
    functions = [x for x in ast.parse((PACKAGE / "_C.pyi").read_text()).body if isinstance(x, ast.FunctionDef)]
    return {x.name for x in functions if re.search("Tensor|Columns|MixingNetwork", ast.unparse(x.args))}


def reaches_memory(source):
    """Whether a source takes a tensor's address, or hands tensors to the extension, which then takes it."""
    used = set(re.findall(r"\b_C\.(\w+)", source))
    used |= {name.removeprefix("_C.") for name in imports(source) if name.startswith("_C.")}
    return "data_ptr" in source or bool(used & kernels())


def test_ops_alone_take_a_tensors_address():
    takers = {p.relative_to(PACKAGE).parts[0] for p in FILES if reaches_memory(p.read_text())}
    assert takers == {"ops"}


@pytest.mark.parametrize(
    "source",
    ["x.data_ptr()", "_C.mix_forward_cpu(x)", "from pyqmix._C import qmixer_loss_cpu", "_C.pack_episodes()"],
)
def test_a_taken_address_is_seen(source):
    assert reaches_memory(source)
