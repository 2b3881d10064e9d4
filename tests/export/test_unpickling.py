"""Only one place of the package reads a pickle of torch's, and that in torch's restricted way."""

import ast
import re
from pathlib import Path

import pytest

import pyqmix

PACKAGE = Path(pyqmix.__file__).parent
HOME = "export/pymarl/state_dict_file.py"


def loads(source):
    """The calls ``torch.load(...)`` in a source, however torch or its function is named."""
    tree, modules, functions = ast.parse(source), {"torch"}, set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.asname for alias in node.names if alias.name == "torch" and alias.asname}
        if isinstance(node, ast.ImportFrom) and node.module in ("torch", "torch.serialization"):
            functions |= {alias.asname or alias.name for alias in node.names if alias.name == "load"}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if called in functions | {f"{m}.load" for m in modules} | {f"{m}.serialization.load" for m in modules}:
            yield node


def test_torch_load_is_called_in_one_place_with_weights_only():
    sources = {str(path.relative_to(PACKAGE)): path.read_text() for path in PACKAGE.rglob("*.py")}
    found = {name: list(loads(text)) for name, text in sources.items() if re.search(r"\bload\b", text)}
    assert {name for name, calls in found.items() if calls} == {HOME}
    (call,) = found[HOME]
    assert {word.arg: ast.unparse(word.value) for word in call.keywords}["weights_only"] == "True"


@pytest.mark.parametrize(
    "source",
    [
        "import torch as t\nt.load(x)",
        "from torch import load\nload(x)",
        "import torch\ntorch.serialization.load(x)",
    ],
)
def test_a_call_by_another_name_is_seen(source):
    assert len(list(loads(source))) == 1
