"""The stub `_C.pyi` and the compiled module name the same things, and the same parameters."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import pyqmix
from pyqmix import _C

STUB = Path(pyqmix.__file__).with_name("_C.pyi")
SPECIAL = {"__init__", "__len__", "__version__"}  # names with two underscores that a stub tells
SIGNATURE = re.compile(r"\w+\((.*)\) -> ")  # as pybind11 writes it into a docstring
NO_CONSTRUCTOR = object()


def of_stub(text):
    """Map each function to its parameters, (names, keyword-only ones), a class to such a map, the rest to None."""
    body = ast.parse(text).body
    found = members_of_stub(body)
    pairs = [(node.name, base.id) for node in body for base in getattr(node, "bases", ()) if base.id in found]
    for heir, base in pairs:
        found[heir] = {**found[base], **found[heir]}
    for _, base in pairs:  # The stub writes the heirs' common constructor there; the base class has none.
        found[base].pop("__init__", None)
    return found


def members_of_stub(body):
    found = {}
    for node in body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = members_of_stub(node.body)
        elif isinstance(node, ast.FunctionDef):
            is_property = any(isinstance(x, ast.Name) and x.id == "property" for x in node.decorator_list)
            names = [x.arg for x in node.args.args if x.arg != "self"]
            found[node.name] = None if is_property else (names, [x.arg for x in node.args.kwonlyargs])
        elif isinstance(node, ast.AnnAssign):
            found[node.target.id] = None
    return found


def of_module(owner):
    """Map the compiled module, or a class of it with its bases, in the same way."""
    found = {}
    for part in reversed(getattr(owner, "__mro__", (owner,))):
        if part is _C or part.__module__ == _C.__name__:
            for name, value in vars(part).items():
                if not name.startswith("_") or name in SPECIAL:
                    found[name] = of_value(getattr(value, "__func__", value))
    return {name: kind for name, kind in found.items() if kind is not NO_CONSTRUCTOR}


def of_value(value):
    if inspect.isclass(value):
        return of_module(value)
    if not callable(value):
        return None
    signature = SIGNATURE.match(value.__doc__)
    return parameters(signature.group(1)) if signature else NO_CONSTRUCTOR


def parameters(inside):
    """Split what stands between the parentheses of a signature."""
    while (flat := re.sub(r"\[[^\[\]]*\]|\([^()]*\)|<[^<>]*>", "", inside)) != inside:  # types and defaults
        inside = flat
    parts = [part.split(":")[0].strip() for part in inside.split(",") if part.strip()]
    names = [part for part in parts if part != "self"]
    at = names.index("*") if "*" in names else len(names)
    return names[:at], names[at + 1 :]


def differences(stub, module, where="_C"):
    """Yield every name that one of both lacks, and every function whose parameters differ."""
    for name in sorted(stub.keys() | module.keys()):
        if name not in module:
            if not of_gpu(name):
                yield f"{where}.{name} is in the stub alone"
        elif name not in stub:
            yield f"{where}.{name} is not in the stub"
        elif isinstance(stub[name], dict) and isinstance(module[name], dict):
            yield from differences(stub[name], module[name], f"{where}.{name}")
        elif stub[name] != module[name]:
            yield f"{where}.{name}: the stub has {stub[name]}, the module {module[name]}"


def of_gpu(name):
    """Whether a build without CUDA kernels lacks it."""
    has_kernels = hasattr(_C, "mix_forward_cuda")
    return not has_kernels and (
        name.endswith("_cuda") or name in {"ADAM_SCRATCH", "MissingAction", "bias_relu_parts"}
    )


def test_the_stub_is_the_modules():
    assert list(differences(of_stub(STUB.read_text()), of_module(_C))) == []


@pytest.mark.parametrize(
    ("old", "new", "seen"),
    [
        ("def ring_bytes(spec: EpisodeSpec, capacity: int) -> int: ...\n", "", "ring_bytes is not in the stub"),
        ("def ring_bytes(spec: ", "def ring_bytes(of: ", "ring_bytes: the stub has"),
        ("spec: NetworkSpec,\n    *,\n", "spec: NetworkSpec,\n", "qmix_gradients_cpu: the stub has"),
        ("    def release(self)", "    def unpin(self)", "PinnedBatch.unpin is in the stub alone"),
        ("    threads_used: int\n", "", "threads_used is not in the stub"),
        ("class EpisodeTransfer:", "class Transfer:", "EpisodeTransfer is not in the stub"),
    ],
)
def test_a_difference_is_seen(old, new, seen):
    text = STUB.read_text()
    assert text.count(old) == 1
    assert any(seen in difference for difference in differences(of_stub(text.replace(old, new)), of_module(_C)))
