"""Imports point one way: cli, trainer, run, the steps of a run, their parts, ops, the extension."""

import ast
from pathlib import Path

import pytest

import pyqmix

LEVELS = (
    {"_C"},
    {"errors", "spec", "seeding", "files", "_loading", "cuda_graph"},
    {"ops"},
    {"batch", "episode_slot", "ring_size"},
    {"step", "device_store"},
    {"build", "nn", "envs", "replay", "captured"},
    {"option_checks"},
    {"config"},
    {"presets", "packing", "standardiser", "rundir", "optimizer"},
    {"targets", "prioritised", "padded"},
    {"learner", "rollout", "metrics"},
    {"checkpoint", "plots", "window", "native_rollout", "worker"},
    {"worker_rollout", "device"},
    {"rollouts"},
    {"evaluate", "display", "interrupt", "overlap"},
    {"summary", "recording"},
    {"run"},
    {"trainer"},
    {"cli"},
)
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}
PACKAGE = Path(pyqmix.__file__).parent
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def upward_imports(name, source):
    """Imports of pyqmix's own modules that do not point down from ``name`` (its first part)."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "pyqmix":
            targets = [f"pyqmix.{alias.name}" for alias in node.names]
        else:
            targets = [node.module] if isinstance(node, ast.ImportFrom) else []
        for target in targets:
            package, _, rest = (target or "").partition(".")
            imported = rest.partition(".")[0]
            if package == "pyqmix" and imported in LEVEL and imported != name and LEVEL[imported] >= LEVEL[name]:
                yield imported


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path):
    name = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert name in LEVEL, "a new module: give it a level"
    assert list(upward_imports(name, path.read_text())) == []


def test_an_import_that_points_up_is_seen():
    assert list(upward_imports("ops", "from pyqmix import learner\nimport pyqmix.trainer")) == [
        "learner",
        "trainer",
    ]


def test_ops_alone_take_a_tensors_address():
    takers = {p.relative_to(PACKAGE).parts[0] for p in FILES if "data_ptr(" in p.read_text()}
    assert takers == {"ops"}
